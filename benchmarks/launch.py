"""Child process: run a command, then print its seconds and peak kilobytes on a last line."""

import os
import sys
import time

started = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - started
print(f"\n{seconds:.4f} {usage.ru_maxrss}")
sys.exit(os.waitstatus_to_exitcode(status))

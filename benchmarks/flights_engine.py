"""Child process: the demo's flights through the engine. Argument: the folder of definitions."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from platform_pipelines.engine import RunRequest, open_project, run

started = time.perf_counter()
report = run(open_project(Path(sys.argv[1])), RunRequest(pipeline="flights"))
seconds = time.perf_counter() - started
loaded = {name: destination.rows for name, destination in report.destinations.items()}
print(json.dumps({"seconds": seconds, "read": report.read, "rejected": report.rejected, "loaded": loaded}))
sys.exit(report.exit_code)

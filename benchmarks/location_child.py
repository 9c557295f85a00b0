"""Child process: load a code location as the code server does. Environment: ``PIPELINES_DEFS``.

Seconds are of CPU time, for a process with one thread the same as those by the clock on an idle machine.
"""

from __future__ import annotations

import json
import sys
import time

started = time.process_time()
import dagster  # noqa: E402, F401 - what every code location pays

imported = time.process_time()
from platform_pipelines.definitions import defs  # noqa: E402

made = time.process_time()
repository = defs.get_repository_def()
jobs = repository.get_all_jobs()
loaded = time.process_time()
if "--snapshot" in sys.argv:
    from dagster._core.remote_representation.external_data import RepositorySnap
    from dagster._serdes import serialize_value

    size = len(serialize_value(RepositorySnap.from_def(repository, defer_snapshots=True)))
else:
    size = 0
served = time.process_time()
print(
    json.dumps(
        {
            "seconds": loaded - started,
            "dagster": imported - started,
            "definitions": made - imported,
            "jobs": loaded - made,
            "snapshot": served - loaded,
            "bytes": size,
            "count": len(jobs),
        }
    )
)

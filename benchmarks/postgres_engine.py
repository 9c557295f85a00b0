"""Child process: a PostgreSQL table to Parquet through the engine. Argument: the DSN."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from platform_pipelines.engine import RunRequest, open_project, run

PIPELINE = """
name: orders
source: {connector: pg, stream: public.orders, mode: incremental, cursor: {field: updated_at}}
destinations: [{connector: lake, table: orders, mode: append}]
"""

defs = Path("defs")
defs.mkdir()
connectors = f"pg: {{type: postgres, dsn: '{sys.argv[1]}'}}\nlake: {{type: files, root: lake, format: parquet}}\n"
(defs / "connectors.yaml").write_text(connectors)
(defs / "orders.yaml").write_text(PIPELINE)
started = time.perf_counter()
report = run(open_project(defs), RunRequest(pipeline="orders"))
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "loaded": report.destinations["lake"].rows, "error": report.error}))
sys.exit(report.exit_code)

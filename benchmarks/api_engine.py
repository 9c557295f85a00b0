"""Child process: a paged JSON API through the engine. Arguments: its URL, and where to: lake or warehouse."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from platform_pipelines.engine import RunRequest, open_project, run

CONNECTORS = """
api:
  type: rest
  base_url: URL
  streams:
    trips:
      path: /trips
      records: data
      pagination: {type: cursor, param: cursor, path: next_cursor}
      cursor: {param: updated_since}
lake: {type: files, root: lake, format: parquet}
warehouse: {type: duckdb, path: warehouse.duckdb}
"""
PIPELINE = """
name: trips
source: {connector: api, stream: trips, mode: incremental, cursor: {field: updated_at}}
destinations: [{connector: WHERE, table: main.trips, mode: append}]
"""

url, where = sys.argv[1:]
defs = Path("defs")
defs.mkdir()
(defs / "connectors.yaml").write_text(CONNECTORS.replace("URL", url))
(defs / "trips.yaml").write_text(PIPELINE.replace("WHERE", where))
started = time.perf_counter()
report = run(open_project(defs), RunRequest(pipeline="trips"))
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "loaded": report.destinations[where].rows, "error": report.error}))
sys.exit(report.exit_code)

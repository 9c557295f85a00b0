"""Child process: a paged JSON API by ``pipelines run``. Arguments: its URL, and where to: lake or warehouse."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from pathlib import Path

started = time.perf_counter()

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
os.environ["PIPELINES_DEFS"] = "defs"
sys.argv = ["pipelines", "run", "trips", "--json"]

from platform_pipelines.cli.main import main  # noqa: E402 - importing is part of what is measured

printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code
report = json.loads(printed.getvalue())
loaded = report["rows"]["loaded"][where]
print(json.dumps({"seconds": time.perf_counter() - started, "loaded": loaded, "error": report["error"]}))
sys.exit(code)

"""Child process: a PostgreSQL table to Parquet by DuckDB alone. Argument: the DSN."""

from __future__ import annotations

import json
import sys
import time

from platform_pipelines.duck import connect, literal

connection = connect(extensions=["postgres_scanner"], memory_limit="512MB")
started = time.perf_counter()
connection.execute(f"attach {literal(sys.argv[1])} as pg (type postgres, read_only)")
connection.execute("copy (from pg.public.orders) to 'orders.parquet' (compression zstd)")
print(json.dumps({"seconds": time.perf_counter() - started}))

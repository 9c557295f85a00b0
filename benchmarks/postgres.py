"""A PostgreSQL table to Parquet through the engine: peak memory, and time against DuckDB's own copy."""

from __future__ import annotations

import tempfile
from pathlib import Path

import psycopg

from benchmarks.measure import measure
from platform_pipelines_tests.servers import postgres

_TARGET_MB = 600
_TABLE = """
    create table public.orders as
    select i::bigint as id, (i % 97)::int as shop, (i * 7 % 1000003)::bigint as customer,
        md5(i::text) as reference, (i % 10000)::numeric(12, 2) / 100 as amount, i % 3 = 0 as paid,
        timestamptz '2024-01-01' + i * interval '1 second' as updated_at, date '2024-01-01' + i % 365 as ordered_on,
        case when i % 5 = 0 then null else 'note ' || i % 1000 end as note, (i % 90)::double precision as latitude,
        (i % 180)::double precision as longitude, (array['new', 'open', 'done'])[1 + i % 3] as state
    from generate_series(1, {rows}) as i
"""


def compare(sizes: list[int], repeats: int) -> None:
    print(f"\npostgres to parquet (target: peak below {_TARGET_MB} MB, whatever the number of rows)")
    print(f"{'rows':>12}  {'':9}{'seconds':>9}{'process':>9}{'peak MB':>9}")
    with postgres() as dsn, tempfile.TemporaryDirectory(prefix="bench-postgres-") as name:
        base = Path(name)

        def fresh() -> Path:
            return Path(tempfile.mkdtemp(dir=base))

        for rows in sizes:
            with psycopg.connect(dsn, autocommit=True) as server:
                server.execute("drop table if exists public.orders")
                server.execute(_TABLE.format(rows=rows))
                server.execute("vacuum analyze public.orders")
            by_hand = measure("postgres_by_hand.py", [dsn], fresh, repeats)
            engine = measure("postgres_engine.py", [dsn], fresh, repeats)
            if engine.answer["loaded"] != rows:
                print(f"COUNTS DIFFER: {engine.answer['loaded']:,} of {rows:,} rows loaded")
            for label, figures in (("by hand", by_hand), ("engine", engine)):
                print(f"{rows:12,}  {label:9}{figures.work:9.2f}{figures.process:9.2f}{figures.peak:9.0f}")
            print(f"{'':14}{'ratio':9}{engine.work / by_hand.work:9.2f}{engine.process / by_hand.process:9.2f}")

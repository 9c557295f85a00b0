"""Child process: the least that work of this kind costs, written by hand. Arguments: the work, then what it needs."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.trips import COLUMNS

_TABLE = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
_UPDATED = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "id")


def copy_out(dsn: str) -> None:
    """Binary COPY of the whole table, thrown away."""
    import psycopg

    with psycopg.connect(dsn) as server, server.cursor().copy("copy src.trips to stdout (format binary)") as rows:
        for _ in rows:
            pass


def copy_in(dsn: str, encoded: str) -> None:
    """Binary COPY of rows encoded before into a new table."""
    import psycopg

    with psycopg.connect(dsn) as server, Path(encoded).open("rb") as rows:
        server.execute("drop table if exists dst.floor")
        server.execute(f"create table dst.floor ({_TABLE})")
        with server.cursor().copy("copy dst.floor from stdin (format binary)") as copy:
            while block := rows.read(1 << 20):
                copy.write(block)


def merge(dsn: str) -> None:
    """Binary COPY of changed rows straight into a temporary table, then one upsert; the watermark in a table."""
    import psycopg

    names = ", ".join(COLUMNS)
    with psycopg.connect(dsn) as source, psycopg.connect(dsn) as target:
        target.execute("create table if not exists dst.floor_merged (like src.trips including all)")
        (mark,) = target.execute("select max(updated_at) from dst.floor_merged").fetchone() or (None,)
        where = f" where updated_at >= '{mark.isoformat()}'" if mark else ""
        target.execute("create temp table stage (like src.trips) on commit drop")
        with (
            source.cursor().copy(f"copy (select {names} from src.trips{where}) to stdout (format binary)") as rows,
            target.cursor().copy("copy stage from stdin (format binary)") as copy,
        ):
            for block in rows:
                copy.write(block)
        target.execute(
            f"insert into dst.floor_merged select * from stage on conflict (id) do update set {_UPDATED} "
            "where floor_merged.updated_at <= excluded.updated_at"
        )


def driver(dsn: str) -> None:
    """The interpreter, the driver, one connection."""
    import psycopg

    with psycopg.connect(dsn) as server:
        server.execute("select 1")


def grouped(csv: str) -> None:
    """CSV, filter, derive, group, four checks, Parquet: one DuckDB statement each."""
    import duckdb

    types = {name: {"text": "varchar", "double precision": "double"}.get(kind, kind) for name, kind in COLUMNS.items()}
    with duckdb.connect() as connection:
        connection.execute("set timezone='UTC'")
        connection.execute(
            "create temp table totals as select trip_date, zone, count(*) as trips, "
            "sum(fare + coalesce(tip, 0)) as total, avg(distance) as distance, max(updated_at) as last "
            f"from read_csv('{csv}', header=true, columns={types}) where is_paid and passengers is not null "
            "group by all"
        )
        connection.execute(
            "copy (select * from totals where trip_date is not null and regexp_matches(zone, '^Zone [0-9]{3}') "
            "and total between 0 and 100000 qualify count(*) over (partition by trip_date, zone) = 1) "
            "to 'totals.parquet' (format parquet)"
        )


def read_all(folder: str) -> None:
    """Read every byte of every file."""
    for path in sorted(Path(folder).iterdir()):
        path.read_bytes()


WORK = {function.__name__: function for function in (copy_out, copy_in, merge, driver, grouped, read_all)}

if __name__ == "__main__":
    WORK[sys.argv[1]](*sys.argv[2:])

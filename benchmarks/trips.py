"""Taxi-like trips, 12 columns, the same on every machine: as Parquet, CSV, CSV with dirty rows, and in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {
    "id": "bigint",
    "updated_at": "timestamptz",
    "pickup_at": "timestamp",
    "trip_date": "date",
    "vendor": "text",
    "zone": "text",
    "email": "text",
    "passengers": "integer",
    "distance": "double precision",
    "fare": "double precision",
    "tip": "double precision",
    "is_paid": "boolean",
}
# ties in updated_at, NULLs, quotes and commas; hash() gives the same on every machine
_ROWS = """
    select i as id,
        timestamptz '2024-01-01 00:00:00+00' + to_microseconds(i * 250000 + (hash(i) % 250000)::bigint) as updated_at,
        timestamp '2024-01-01' + to_microseconds((hash(i, 1) % 31536000000000)::bigint) as pickup_at,
        pickup_at::date as trip_date,
        ['CMT', 'VTS', 'DDS', 'HLP'][1 + (hash(i, 2) % 4)::int] as vendor,
        case when hash(i, 3) % 50 = 0 then format('Zone {:03d}, "East"', (hash(i, 3) % 260)::int)
            else format('Zone {:03d}', (hash(i, 3) % 260)::int) end as zone,
        case when hash(i, 4) % 50 > 0 then 'rider' || i || '@example.com' end as email,
        case when hash(i, 5) % 10 > 0 then 1 + (hash(i, 5) % 6)::int end as passengers,
        ((hash(i, 6) % 2000) / 100)::double as distance,
        2.5 + ((hash(i, 7) % 6000) / 100)::double as fare,
        case when hash(i, 8) % 10 > 2 then ((hash(i, 8) % 900) / 100)::double end as tip,
        hash(i, 9) % 100 < 93 as is_paid
    from range(1, {rows} + 1) t(i)
"""
# one row in a thousand breaks each of four rules
_DIRTY = """
    select * replace (
        case when id % 1000 = 1 then 'not-an-email' else email end as email,
        case when id % 1000 = 2 then -5 else fare end as fare,
        case when id % 1000 = 3 then null else vendor end as vendor,
        case when id % 1000 = 4 then id - 4 + 5 else id end as id)
    from trips
"""
_CHANGE = """
    with top as (select max(updated_at) as at, max(id) as id from src.trips),
    changed as (
        update src.trips t
        set updated_at = top.at + interval '1 second' + t.id %% 1000 * interval '1 ms', fare = fare + 1
        from top where t.id %% 111 = %(round)s and t.id <= 999000 returning 1
    )
    insert into src.trips
    select top.id + g, top.at + interval '1 second' + g %% 1000 * interval '1 ms', timestamp '2025-01-01', '2025-01-01',
        'CMT', 'Zone 001', 'new' || g || '@example.com', null, 1.5, 10, null, true
    from top, generate_series(1, 1000) g
"""


def write(folder: Path, rows: int) -> None:
    """Write ``trips.parquet``, ``trips.csv`` and ``dirty/trips.csv``."""
    (folder / "dirty").mkdir(parents=True)
    import duckdb  # the floors import this module and have no use for it

    with duckdb.connect() as connection:
        connection.execute("set timezone='UTC'; set enable_progress_bar=false")
        connection.execute(f"create temp table trips as {_ROWS.replace('{rows}', str(rows))}")
        connection.execute(f"copy trips to '{folder / 'trips.parquet'}' (format parquet)")
        connection.execute(f"copy trips to '{folder / 'trips.csv'}' (header)")
        connection.execute(f"copy ({_DIRTY}) to '{folder / 'dirty' / 'trips.csv'}' (header)")


def load(dsn: str, folder: Path) -> None:
    """Make ``src.trips`` anew from ``trips.csv``, indexed and at rest."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute("create schema if not exists src")
        server.execute("create schema if not exists dst")
        server.execute("drop table if exists src.trips")
        server.execute(f"create table src.trips ({columns}, primary key (id))")
        text = "copy src.trips from stdin (format csv, header)"
        with (folder / "trips.csv").open("rb") as source, server.cursor().copy(text) as copy:
            while block := source.read(1 << 20):
                copy.write(block)
        server.execute("create index on src.trips (updated_at)")
        settle(server)


def change(dsn: str, number: int) -> None:
    """Change 9,000 rows of ``src.trips`` and add 1,000, all above every cursor so far."""
    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute(_CHANGE, {"round": number})
        settle(server)


def settle(server: psycopg.Connection) -> None:
    """Let the server do now what it would do in the middle of a measurement."""
    server.execute("vacuum analyze src.trips")
    server.execute("checkpoint")

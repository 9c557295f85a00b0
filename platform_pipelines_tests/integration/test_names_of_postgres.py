"""PostgreSQL tells apart columns whose names differ in case alone: they are read, and loaded once they are renamed."""

from __future__ import annotations

import psycopg

from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.model import Stream, Window


def test_both_columns_are_read(postgres_database: str) -> None:
    with psycopg.connect(postgres_database) as server:
        server.execute('create table t (id int, "A" int, a int, "a_1" int)')
        server.execute("insert into t values (1, 10, 20, 30)")
    connector = PostgresConnector(dsn=postgres_database)
    pages = list(connector.read(Stream("t"), Window(), None))
    assert [(b.schema.names, [column.to_pylist() for column in b.columns]) for p in pages for b in p.batches] == [
        (["id", "A", "a", "a_1"], [[1], [10], [20], [30]])
    ]

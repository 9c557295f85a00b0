from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines import duck
from platform_pipelines.spec.transform import SETTINGS, TransformSpec
from platform_pipelines.transforms import chain, python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import duckdb
    import pyarrow as pa


def rejects(bench: Bench, done: Any) -> list[tuple[Any, ...]]:
    return [row for each in done.rejects for row in bench.read(each.relation)]


def in_chunks_of(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Let a Python text be given so many rows at once, from the first chunk on."""
    monkeypatch.setattr(python, "_FIRST_ROWS", rows)
    monkeypatch.setattr(python, "_ROWS", rows)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duck.connect()
    yield connection
    connection.close()


class Bench:
    """Runs transforms over a small table and shows what came of it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.tables: dict[str, pa.Table] = {}

    def lookup(
        self, connector: str, table: str, columns: tuple[str, ...], _options: Mapping[str, Any] | None = None
    ) -> pa.RecordBatchReader:
        found = self.tables[f"{connector}.{table}"]
        return (
            found.select([name for name in columns if name in found.column_names]) if columns else found
        ).to_reader()

    def apply(self, source: str, *steps: dict[str, Any], cursor: str | None = None) -> chain.Transformed:
        self.connection.execute(f"create or replace temp table source as {source}")
        return chain.apply(
            self.connection, "source", specs(*steps), cursor=cursor, lookup=self.lookup, file="flights.yaml"
        )

    def rows(self, source: str, *steps: dict[str, Any]) -> list[tuple[Any, ...]]:
        return self.read(self.apply(source, *steps).relation)

    def read(self, relation: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(f'from "{relation}"').fetchall()

    def table(self, relation: str) -> pa.Table:
        return self.connection.execute(f'from "{relation}"').to_arrow_table()


def specs(*steps: dict[str, Any]) -> list[TransformSpec]:
    made = []
    for position, step in enumerate(steps, start=1):
        rest = dict(step)
        settings = {key: rest.pop(key) for key in SETTINGS if key in rest}
        ((kind, body),) = rest.items()
        settings.setdefault("label", f"{kind} {position}")
        made.append(TransformSpec(kind=kind, body=body, line=10 + position, **settings))
    return made


@pytest.fixture
def bench(connection: duckdb.DuckDBPyConnection) -> Bench:
    return Bench(connection)


@pytest.fixture
def make_specs() -> Callable[..., list[TransformSpec]]:
    return specs

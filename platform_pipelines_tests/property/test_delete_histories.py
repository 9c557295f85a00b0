"""Random histories of rows that go and come back, changed or not: the destination equals the source after every run.

Nothing lands but what differs: a row is not landed twice because another one was found gone. Where deletes are soft, rows
that are gone stay as they were, and marked. Some histories go to tables in memory, some to DuckDB and to Parquet files.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.model import DELETED_AT
from platform_pipelines_tests import tables
from platform_pipelines_tests.examples import examples, played
from platform_pipelines_tests.unit.engine.deleting import MERGE, detecting, source
from platform_pipelines_tests.unit.engine.world import World, at

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = pa.schema([("id", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("v", pa.int64())])
#: rows from this number on have no cursor
WITHOUT = 3
Row = tuple[int | None, int]  # the second of its cursor, and a version


@dataclass(frozen=True)
class Seen:
    """What a run left.

    Attributes:
        error: of the run.
        loaded: the destination's rows.
        expected: the source's, and where deletes are soft those that are gone.
        written: how many rows each destination was given.
        differing: in how many rows source and destination differed before.
    """

    error: str | None
    loaded: dict[int, tuple[Any, ...]]
    expected: dict[int, tuple[Any, ...]]
    written: set[int]
    differing: set[int]


@dataclass
class History:
    """A source in the course of time, and a pipeline that reads it."""

    world: World
    lag: int
    action: str
    rows: dict[int, Row] = field(default_factory=dict)
    gone: dict[int, Row] = field(default_factory=dict)
    highest: dict[int, int] = field(default_factory=dict)
    watermark: int = 0

    def put(self, number: int, second: int, version: int) -> None:
        """A new row or version; one that no read would meet gets a cursor that is met, and none goes back."""
        self.gone.pop(number, None)
        second = self.highest[number] = max(second, self.watermark - self.lag, self.highest.get(number, 0))
        self.rows[number] = (None if number >= WITHOUT else second, version)

    def vanish(self, number: int) -> None:
        if number in self.rows:
            self.gone[number] = self.rows.pop(number)

    def come_back(self, number: int) -> None:
        """As it was, where its cursor is still read."""
        second, version = self.gone.pop(number, (None, 0))
        if version:
            self.put(number, second or 0, version)

    def run(self) -> Seen:
        cursor = {"field": "at", "on_missing": "include"} | ({"lag": f"{self.lag}s"} if self.lag else {})
        outs = [MERGE | {"name": name, "connector": name} for name in self.world.others] or [MERGE]
        project = detecting(self.world, source=source(action=self.action) | {"cursor": cursor}, destinations=outs)
        before, there = self.loaded(), self.expected()
        columns = list(zip(*((number, *row) for number, row in there.items()), strict=True)) or [(), (), ()]
        now = {number: (*row, False) for number, row in there.items()}
        if self.action == "soft":
            now |= {number: (*row[:2], True) for number, row in before.items() if number not in now}
        arrays = [pa.array(values, kind.type) for values, kind in zip(columns, SCHEMA, strict=True)]
        self.world.put(pa.table(arrays, schema=SCHEMA))
        report = self.world.run(project, allow_destructive=True)
        differing = sum(before.get(number) != now.get(number) for number in {*before, *now})
        self.watermark = max([self.watermark, *(s for s, _ in self.rows.values() if s is not None)])
        written = {each.rows for each in report.destinations.values()}
        return Seen(report.error, self.loaded(), now, written, {differing})

    def expected(self) -> dict[int, tuple[Any, ...]]:
        """The source's rows: cursor and version by number."""
        return {n: (None if second is None else at(second), version) for n, (second, version) in self.rows.items()}

    def loaded(self) -> dict[int, tuple[Any, ...]]:
        """Each destination's rows, all the same: cursor, version and whether they are marked, by number."""
        mark = "_pipelines_deleted_at is not null" if self.action == "soft" else "false"
        found = [tables.rows_of(kind, self.world.root, "", f'id, "at", v, {mark}') for kind in self.world.others] or [
            _in_memory(self.world)
        ]
        assert all(rows == found[0] for rows in found)
        return found[0]


def _in_memory(world: World) -> tables.Rows:
    try:
        rows = MemoryConnector(space=world.space)._stored("out").to_pylist()
    except InvalidData:  # there is no table yet
        return {}
    return {row["id"]: (row["at"], row["v"], row.get(DELETED_AT) is not None) for row in rows}


NUMBERS, AND_RUN = st.integers(0, 4), st.booleans()
STEPS = st.lists(
    st.one_of(
        st.tuples(AND_RUN, st.just("put"), NUMBERS, st.integers(1, 4), st.integers(1, 2)),
        st.tuples(AND_RUN, st.just("vanish"), NUMBERS),
        st.tuples(AND_RUN, st.just("come_back"), NUMBERS),
    ),
    min_size=10,
    max_size=30,
)


def _runs(history: History, steps: list[tuple[Any, ...]]) -> Iterator[Seen]:
    """Play the history, then run twice: what every run left."""
    for and_run, name, *arguments in steps:
        getattr(history, name)(*arguments)
        if and_run:
            yield history.run()
    yield history.run()
    yield history.run()


@contextmanager
def _removed(history: History) -> Iterator[History]:
    """A history of which nothing is left behind."""
    try:
        yield history
    finally:
        MemoryConnector.clear(history.world.space)
        shutil.rmtree(history.world.root, ignore_errors=True)


@pytest.mark.parametrize("action", ["hard", "soft"])
@pytest.mark.parametrize("lag", [0, 2])
@settings(max_examples=examples(8), deadline=None)
@given(steps=STEPS)
def test_rows_that_go_and_come_back(lag: int, action: str, steps: list[tuple[Any, ...]]) -> None:
    played("deletes")
    with _removed(History(World(Path(tempfile.mkdtemp())), lag, action)) as history:
        for seen in _runs(history, steps):
            assert seen.error is None
            assert seen.loaded == seen.expected
            assert seen.written == seen.differing


@pytest.mark.parametrize("action", ["hard", "soft"])
@settings(max_examples=examples(2), deadline=None)
@given(steps=STEPS, lag=st.sampled_from([0, 2]))
def test_rows_that_go_and_come_back_in_duckdb_and_parquet(action: str, lag: int, steps: list[tuple[Any, ...]]) -> None:
    played("deletes, DuckDB and Parquet")
    root = Path(tempfile.mkdtemp())
    others = {kind: tables.connector(kind, root) for kind in ("duckdb", "parquet")}
    with _removed(History(World(root, others=others), lag, action)) as history:
        for seen in _runs(history, steps):
            assert seen.error is None
            assert seen.loaded == seen.expected
            assert seen.written == seen.differing

"""Random histories of rows that go and come back, changed or not: the destination equals the source after every run.

Nothing lands but what differs: a row is not landed twice because another one was found gone.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines_tests.examples import examples
from platform_pipelines_tests.unit.engine.deleting import detecting, source
from platform_pipelines_tests.unit.engine.world import World, at

SCHEMA = pa.schema([("id", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("v", pa.int64())])
#: rows from this number on have no cursor
WITHOUT = 3
Row = tuple[int | None, int]  # the second of its cursor, and a version


@dataclass
class History:
    """A source in the course of time, and a pipeline that reads it."""

    world: World
    lag: int
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

    def run(self) -> None:
        cursor = {"field": "at", "on_missing": "include"} | ({"lag": f"{self.lag}s"} if self.lag else {})
        project = detecting(self.world, source=source() | {"cursor": cursor})
        now = self.expected()
        before = self.loaded()
        columns = list(zip(*(row.values() for row in now.values()), strict=True)) or [(), (), ()]
        arrays = [pa.array(values, kind.type) for values, kind in zip(columns, SCHEMA, strict=True)]
        self.world.put(pa.table(arrays, schema=SCHEMA))
        report = self.world.run(project, allow_destructive=True)
        assert report.error is None
        assert self.loaded() == now
        differing = sum(before.get(number) != now.get(number) for number in {*before, *now})
        assert sum(each.rows for each in report.destinations.values()) == differing
        self.watermark = max([self.watermark, *(s for s, _ in self.rows.values() if s is not None)])

    def expected(self) -> dict[int, dict[str, Any]]:
        return {n: {"id": n, "at": None if s is None else at(s), "v": v} for n, (s, v) in self.rows.items()}

    def loaded(self) -> dict[int, dict[str, Any]]:
        with contextlib.suppress(InvalidData):  # there is no table yet
            return {row["id"]: row for row in self.world.rows()}
        return {}


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


@pytest.mark.parametrize("lag", [0, 2])
@settings(max_examples=examples(15), deadline=None)
@given(steps=STEPS)
def test_rows_that_go_and_come_back(lag: int, steps: list[tuple[Any, ...]]) -> None:
    root = Path(tempfile.mkdtemp())
    history = History(World(root), lag)
    try:
        for and_run, name, *arguments in steps:
            getattr(history, name)(*arguments)
            if and_run:
                history.run()
        history.run()
        history.run()
        assert history.loaded() == history.expected()
    finally:
        MemoryConnector.clear(history.world.space)
        shutil.rmtree(root, ignore_errors=True)

"""Any sequence of loads leaves a table as a plain Python model says."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_pipelines import duck
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.model import Feed, Load, Mode, Offset
from platform_pipelines.rowfiles import NOWHERE, LeftOut, RowFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: key, value, version and the feed that it came by
Row = tuple[int, str, int | None, str]
_SCHEMA = pa.schema([("id", pa.int64()), ("value", pa.string()), ("version", pa.int64()), ("gone", pa.bool_())])
_FEEDS = (Feed("p", "one"), Feed("p", "two"))
_numbers = itertools.count()


@dataclass(frozen=True)
class Step:
    """One load: rows by key as (value, version, deleted)."""

    feed: Feed
    fresh: bool
    files: bool
    left_out: bool
    rows: dict[int, tuple[str, int | None, bool]]

    @property
    def table(self) -> pa.Table:
        records = [
            {"id": key, "value": value, "version": version, "gone": True if gone else None}
            for key, (value, version, gone) in self.rows.items()
        ]
        return pa.Table.from_pylist(records, _SCHEMA)


#: a step, the receipt of its load, whether its feed started over, whether it did so anew
Done = tuple[Step, Any, bool, bool]
_row = st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 4), st.booleans())
_step = st.builds(
    Step,
    feed=st.sampled_from(_FEEDS),
    fresh=st.booleans(),
    files=st.booleans(),
    left_out=st.booleans(),
    rows=st.dictionaries(st.integers(0, 5), _row, max_size=5),
)
_steps = st.lists(_step, min_size=1, max_size=6)


@dataclass
class Merged:
    """What a merge with hard deletes shall leave: key -> (value, version, feed)."""

    rows: dict[int, tuple[str, int | None, str]] = field(default_factory=dict)

    def load(self, step: Step, *, starts_over: bool, fresh: bool) -> int:
        """Apply a step; how many of its rows were applied."""
        mine = step.feed.id
        if starts_over:
            self.rows = {key: row for key, row in self.rows.items() if row[2] != mine or key in step.rows}
        applied = 0
        for key, (value, version, gone) in step.rows.items():
            there = self.rows.get(key)
            if there and not (_newer(version, there[1]) or (there[2] == mine and (fresh or version is None))):
                continue
            if gone:
                applied += key in self.rows
                self.rows.pop(key, None)
            else:
                applied += 1
                self.rows[key] = (value, version, mine)
        return applied


def _newer(arriving: int | None, there: int | None) -> bool:
    return there is None or (arriving is not None and arriving >= there)


@dataclass
class Run:
    """A sequence of loads into one table, offsets kept as the engine keeps them."""

    destination: Any
    table: str
    mode: Mode
    folder: Path
    offsets: dict[Feed, Offset] = field(default_factory=dict)

    def load(self, step: Step) -> tuple[Any, bool, bool]:
        previous = self.offsets.get(step.feed)
        fresh = step.fresh and previous is not None
        epoch, sequence = (previous.epoch, previous.sequence) if previous else (1, 0)
        offset = Offset(epoch + 1, 1) if fresh else Offset(epoch, sequence + 1)
        rows = step.table
        load = Load(
            step.feed,
            self.table,
            self.mode,
            rows.schema,
            offset,
            rows.num_rows,
            "pt-property",
            key=("id",) if self.mode == "merge" else (),
            cursor="version",
            previous=previous,
            fresh=fresh,
            stored=self._stored(rows, left_out=step.left_out) if step.files else NOWHERE,
            delete_field="gone" if self.mode == "merge" else None,
            delete_action="hard",
        )
        receipt = self.destination.load(load, rows.to_reader())
        self.offsets[step.feed] = offset
        assert self.destination.offset(step.feed, self.table) == offset
        return receipt, previous is None or fresh, fresh

    def _stored(self, rows: pa.Table, *, left_out: bool) -> RowFiles:
        """The rows in two files, with others among them that do not count."""
        others = pa.Table.from_pylist([{"id": key, "value": "rejected", "version": 9} for key in range(6)], _SCHEMA)
        number = next(_numbers)
        paths = [self.folder / f"{number}-{part}.parquet" for part in ("a", "b")]
        for path, part in zip(paths, (rows.slice(0, 2), rows.slice(2)), strict=True):
            pq.write_table(pa.concat_tables([others, part, others]) if left_out else part, path)
        if not left_out:
            return RowFiles(tuple(paths))
        sizes = [min(2, rows.num_rows), max(0, rows.num_rows - 2)]
        places = [
            {"file": file, "row": row}
            for file, size in enumerate(sizes)
            for row in (*range(6), *range(6 + size, 12 + size))
        ]
        pq.write_table(pa.Table.from_pylist(places), self.folder / f"{number}-left-out.parquet")
        return RowFiles(tuple(paths), (LeftOut(self.folder / f"{number}-left-out.parquet"),))


@dataclass
class Loaded:
    """What loads say and leave, or what they should: staged, applied and superseded of each; rows in the end."""

    receipts: list[tuple[int, int, int]]
    rows: list[Row]


def _loaded(run: Run, steps: list[Step], found: Callable[[str], list[Row]]) -> tuple[Loaded, Loaded]:
    """What the destination says and leaves, and what the model of its mode does."""
    expected = (_merged if run.mode == "merge" else _appended)(done := [(step, *run.load(step)) for step in steps])
    receipts = [(receipt.staged, receipt.loaded, receipt.superseded) for _, receipt, _, _ in done]
    return Loaded(receipts, sorted(found(run.table), key=repr)), expected


def _merged(done: list[Done]) -> Loaded:
    model, receipts = Merged(), []
    for step, _, starts_over, fresh in done:
        applied = model.load(step, starts_over=starts_over, fresh=fresh)
        receipts.append((len(step.rows), applied, len(step.rows) - applied))
    return Loaded(receipts, sorted(((key, *row) for key, row in model.rows.items()), key=repr))


def _appended(done: list[Done]) -> Loaded:
    rows: list[Row] = []
    for step, _, _, fresh in done:
        kept = [row for row in rows if not (fresh and row[3] == step.feed.id)]
        rows = kept + [(key, value, version, step.feed.id) for key, (value, version, _) in step.rows.items()]
    return Loaded([(len(step.rows), len(step.rows), 0) for step, *_ in done], sorted(rows, key=repr))


_QUERY = "select id, value, version, _pipelines_feed from {}"
_duckdb = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_postgres = settings(_duckdb, max_examples=12)


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
@_duckdb
@given(steps=_steps)
def test_loads_into_duckdb(mode: Mode, steps: list[Step], tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"

    def found(table: str) -> list[Row]:
        with duck.connect(path) as connection:
            return connection.execute(_QUERY.format(table)).fetchall()

    run = Run(DuckDBConnector(path=path), f"raw.t{next(_numbers)}", mode, tmp_path)
    told, expected = _loaded(run, steps, found)
    assert told == expected


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
@_postgres
@given(steps=_steps)
def test_loads_into_postgres(mode: Mode, steps: list[Step], tmp_path: Path, postgres_database: str) -> None:
    def found(table: str) -> list[Row]:
        with psycopg.connect(postgres_database) as connection:
            return connection.execute(_QUERY.format(table).encode()).fetchall()

    run = Run(PostgresConnector(dsn=postgres_database), f"raw.t{next(_numbers)}", mode, tmp_path)
    told, expected = _loaded(run, steps, found)
    assert told == expected

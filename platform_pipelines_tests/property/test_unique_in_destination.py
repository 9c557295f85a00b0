"""``unique`` with a scope: what is loaded after the rule has no doubles, and nothing is rejected without a rival."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_pipelines import duck
from platform_pipelines.quality.judge import judge
from platform_pipelines.relations import Holding
from platform_pipelines.spec.quality import QualitySpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

SCHEMA = pa.schema([("id", pa.int64()), ("email", pa.string()), ("at", pa.int64())])
RULE = {"id": "once", "type": "unique", "fields": ["email"], "scope": "warehouse"}
EMAILS = st.sampled_from([None, "a", "b", "c"])
ROWS = st.lists(st.tuples(st.integers(1, 4), EMAILS, st.integers(1, 4)), max_size=6)


@dataclass(frozen=True)
class Row:
    id: int
    email: str | None
    at: int


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duck.connect() as opened:
        yield opened


def judged(
    connection: duckdb.DuckDBPyConnection, batch: list[Row], stored: list[Row], key: tuple[str, ...]
) -> tuple[list[Row], list[Row]]:
    """The good rows and the bad ones."""
    good: list[Row] = []
    bad: list[Row] = []

    def into(rows: list[Row]) -> Any:
        return lambda found: rows.extend(Row(r["id"], r["email"], r["at"]) for r in found.to_pylist())

    held = table(stored)
    connection.register("batch", table(batch))
    judge(
        connection,
        "batch",
        QualitySpec.model_validate({"rules": [RULE]}),
        cursor="at",
        lookup=lambda *_: pytest.fail("no table is referred to"),
        now=dt.datetime.now(dt.UTC),
        sink_good=into(good),
        sink_bad=into(bad),
        holdings=lambda destination, columns: Holding(lambda: held.to_reader() if stored else None, key=key),  # noqa: ARG005 - the protocol's names
    )
    return good, bad


def table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist([{"id": r.id, "email": r.email, "at": r.at} for r in rows], SCHEMA)


def merged(stored: list[Row], arriving: list[Row]) -> list[Row]:
    """What a merge by id leaves: the newest version of each row."""
    found = {row.id: row for row in stored}
    for row in arriving:
        if row.id not in found or row.at >= found[row.id].at:
            found[row.id] = row
    return list(found.values())


def doubled(rows: list[Row]) -> bool:
    emails = [row.email for row in rows if row.email is not None]
    return len(emails) != len(set(emails))


def versions(rows: list[tuple[int, str | None, int]]) -> list[Row]:
    """One row of each id and time: which of two versions of one moment stays is up to their order."""
    return list({(number, at): Row(number, email, at) for number, email, at in rows}.values())


def consistent(rows: list[tuple[int, str | None, int]]) -> list[Row]:
    """What a destination may hold: each id and each e-mail address once."""
    kept: list[Row] = []
    for row in merged([], [Row(*each) for each in rows]):
        if not doubled([*kept, row]):
            kept.append(row)
    return kept


@given(batch=ROWS.map(versions), stored=ROWS.map(consistent))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_merge_leaves_no_doubles(connection: duckdb.DuckDBPyConnection, batch: list[Row], stored: list[Row]) -> None:
    good, bad = judged(connection, batch, stored, ("id",))
    assert sorted([*good, *bad], key=repr) == sorted(batch, key=repr)
    assert not doubled(merged(stored, good))
    others = {row: {each.email for each in [*batch, *stored] if each.id != row.id} for row in bad}
    assert all(row.email is not None and row.email in others[row] for row in bad)


@given(batch=ROWS.map(versions), stored=ROWS.map(consistent))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_append_leaves_no_doubles(
    connection: duckdb.DuckDBPyConnection, batch: list[Row], stored: list[Row]
) -> None:
    good, bad = judged(connection, batch, stored, ())
    assert len(good) + len(bad) == len(batch)
    assert not doubled([*stored, *good])
    held = {row.email for row in stored}
    free = {row.email for row in batch if row.email is not None} - held
    assert {row.email for row in good if row.email is not None} == free

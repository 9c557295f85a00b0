"""Random histories of a source, under every type of cursor: after the last run the destination equals the source.

Rows commit late, are stamped by clocks that are ahead or behind by less than ``lag``, share cursors, lose them, move
between partitions.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines_tests import tables
from platform_pipelines_tests.examples import examples, played
from platform_pipelines_tests.property.cursor_histories import (
    AHEAD,
    BEHIND,
    DAYS,
    KINDS,
    MINUTE,
    OPEN,
    SOMETIMES_MISSING,
    STEP,
    History,
    Seen,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(1, STEP)),
        st.tuples(
            st.just("write"),
            st.integers(0, 12),
            st.integers(-AHEAD, BEHIND),
            st.sampled_from(DAYS),
            st.booleans(),
            st.booleans(),
        ),
        st.tuples(st.just("commit")),
        st.tuples(st.just("due")),
        st.tuples(
            st.just("run"), st.sets(st.sampled_from([day.isoformat() for day in DAYS]), min_size=1), st.booleans()
        ),
    ),
    min_size=5,
    max_size=40,
)


def _runs(history: History, steps: list[tuple[Any, ...]]) -> Iterator[Seen]:
    """Play the history, then run once more: what every run left."""
    opened = history.now
    for name, *arguments in steps:
        if name == "pass":
            history.now += arguments[0] * MINUTE
        elif name == "write":
            number, skew, day, missing, late = arguments
            if late and not history.late:
                opened = history.now
            history.write(number, skew, day, missing=missing and number >= SOMETIMES_MISSING, late=late)
        elif name == "run":
            full_refresh = arguments[1] and len(arguments[0]) == 1
            yield Seen(history.run(tuple(sorted(arguments[0])), full_refresh=full_refresh).error)
        elif name == "due":
            yield history.due()
        # a transaction that has grown too old commits before the next run: lag reaches AHEAD + BEHIND + OPEN + STEP
        if name == "commit" or (history.late and history.now - opened > OPEN * MINUTE):
            history.commit()
    history.commit()
    error = history.run().error
    yield Seen(error, history.loaded(), history.source()) if history.rows and error is None else Seen(error)


def _again(history: History) -> tuple[str, int]:
    """The status of a run, and how many rows it loaded."""
    report = history.run()
    return report.status, sum(each.rows for each in report.destinations.values())


@contextmanager
def _removed(history: History) -> Iterator[History]:
    """A history of which nothing is left behind."""
    try:
        yield history
    finally:
        MemoryConnector.clear(history.root.name)
        shutil.rmtree(history.root, ignore_errors=True)


NOTHING = {("nothing_new", 0), ("success", 0)}


@pytest.mark.parametrize("cut", ["whole", "partitions"])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=examples(10), deadline=None)
@given(steps=STEPS)
def test_after_the_last_run_the_destination_equals_the_source(
    kind: str, cut: str, steps: list[tuple[Any, ...]]
) -> None:
    played("cursors")
    with _removed(History(KINDS[kind], cut == "partitions", Path(tempfile.mkdtemp()))) as history:
        for seen in _runs(history, steps):
            assert seen.error is None
            assert seen.loaded == seen.expected
        assert _again(history) in NOTHING


#: Python has no nanoseconds to compare by
@settings(max_examples=examples(4), deadline=None)
@given(kind=st.sampled_from([kind for kind in KINDS if not kind.startswith("nano")]), steps=STEPS)
def test_so_do_a_duckdb_file_and_a_folder_of_parquet_files(kind: str, steps: list[tuple[Any, ...]]) -> None:
    played("cursors, DuckDB and Parquet")
    root = Path(tempfile.mkdtemp())
    others = {each: tables.connector(each, root) for each in ("duckdb", "parquet")}
    with _removed(History(KINDS[kind], partitioned=False, root=root, others=others)) as history:
        for seen in _runs(history, steps):
            assert seen.error is None
            assert seen.loaded == seen.expected
        assert _again(history) in NOTHING

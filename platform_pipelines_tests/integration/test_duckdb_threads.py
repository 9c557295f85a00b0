"""One file, many threads: opening and closing it at the same time fails for nobody; a core is left to others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import duckdb
import pytest

from platform_pipelines.connectors import duckdb_session, postgres_engine
from platform_pipelines.errors import ConnectError

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 60


def test_threads_open_and_close_one_file_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb_session.writing(path) as connection:
        connection.execute("create table t (i integer)")

    def write(number: int) -> None:
        with duckdb_session.held(path), duckdb_session.writing(path) as connection:
            connection.execute("insert into t values (?)", [number])

    def count(_: int) -> int:
        with duckdb_session.reading(path) as connection:
            return int(connection.execute("select count(*) from t").fetchall()[0][0])

    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(write, number) for number in range(ROUNDS)]
        counts = list(pool.map(count, range(3 * ROUNDS)))
        for each in writes:
            each.result()
    assert max(counts) <= ROUNDS
    assert count(0) == ROUNDS


def test_a_writer_waits_for_readers_of_its_own_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb_session.writing(path) as connection:
        connection.execute("create table t as select 1 as i")
    monkeypatch.setattr(duckdb_session, "WAIT_SECONDS", 0.1)
    with duckdb_session.reading(path) as connection:
        refusal = pytest.raises(ConnectError, match="in use by another connection of this process for 0 seconds")
        with refusal, duckdb_session.writing(path):
            pass
        assert connection.execute("select i from t").fetchall() == [(1,)]
    with duckdb_session.writing(path) as connection:
        connection.execute("insert into t values (2)")


def test_a_reader_shares_the_instance_of_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb_session.writing(path) as writer:
        writer.execute("create table t as select timestamptz '2026-01-01 00:00:00+00' as seen_at")
        with duckdb_session.reading(path) as reader:
            assert reader.execute("select seen_at::varchar from t").fetchall() == [("2026-01-01 00:00:00+00",)]


def _threads(connection: duckdb.DuckDBPyConnection) -> int:
    return int(connection.execute("select current_setting('threads')").fetchall()[0][0])


def test_instances_leave_a_core_to_those_who_feed_them(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        every = _threads(connection)
    with duckdb_session.writing(tmp_path / "w.duckdb") as connection:
        assert _threads(connection) == max(1, every - 1)
    with postgres_engine.engine() as connection:
        assert _threads(connection) == 1

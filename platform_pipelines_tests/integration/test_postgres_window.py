"""No row that commits late is ever passed by."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import InvalidData, RetriableError
from platform_pipelines.model import Stream, TimeSlice, ValueSlice, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONG_AGO = Cursor("timestamptz", "2000-01-01T00:00:00Z")


@pytest.fixture
def connection(postgres_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(
            "create table t (id int primary key, at timestamptz default now(), local timestamp default localtimestamp, "
            "day date default current_date)"
        )
        yield connection


def _ids(dsn: str, window: Window, **options: Any) -> list[int]:
    pages = PostgresConnector(dsn=dsn).read(Stream("t", options), window, None)
    return sorted(i for page in pages for batch in page.batches for i in batch.column("id").to_pylist())


def _high(dsn: str, window: Window) -> dt.datetime:
    high = PostgresConnector(dsn=dsn).plan_read(Stream("t"), window).high
    assert high is not None
    return dt.datetime.fromisoformat(high.text)


@pytest.mark.parametrize("field", ["at", "local"])
def test_a_late_commit_holds_the_window_back(
    connection: psycopg.Connection, postgres_database: str, field: str
) -> None:
    window = Window(field, timezone="UTC")
    with psycopg.connect(postgres_database) as late:
        late.execute("insert into t values (1)")
        connection.execute("insert into t values (2)")
        assert _ids(postgres_database, window) == []
        late.commit()
    assert _ids(postgres_database, window) == [1, 2]


def test_a_transaction_that_has_not_written_yet_counts(connection: psycopg.Connection, postgres_database: str) -> None:
    with psycopg.connect(postgres_database) as idle:
        idle.execute("select 1")
        connection.execute("insert into t values (2)")
        assert _ids(postgres_database, Window("at")) == []


def test_our_own_readers_do_not_hold_each_other_back(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("insert into t values (1)")
    first = PostgresConnector(dsn=postgres_database).read(Stream("t"), Window("at"), None)
    next(first)
    connection.execute("insert into t values (2)")
    assert _ids(postgres_database, Window("at")) == [1, 2]
    first.close()  # type: ignore[attr-defined]


def test_days_of_open_transactions_are_read_later(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("insert into t (id, day) values (1, current_date - 1), (2, current_date), (3, current_date + 1)")
    assert _ids(postgres_database, Window("day", timezone="UTC")) == [1, 2]


def test_the_clock_is_the_servers(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("insert into t (id, at) values (1, now() + interval '1 hour')")
    assert _ids(postgres_database, Window("at")) == []
    row = connection.execute("select now()").fetchone()
    assert row
    assert abs(_high(postgres_database, Window("at")) - row[0]) < dt.timedelta(minutes=1)


def test_a_window_with_an_upper_end_keeps_it(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("insert into t (id, at) values (1, '2001-01-01'), (2, '2002-01-01')")
    window = Window("at", _LONG_AGO, Cursor("timestamptz", "2002-01-01T00:00:00Z"))
    with psycopg.connect(postgres_database) as late:
        late.execute("insert into t values (3)")
        assert _ids(postgres_database, window) == [1]


def test_naive_timestamps_are_compared_in_their_zone(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("insert into t (id, local) select 1, now() at time zone 'Asia/Tokyo'")
    assert _ids(postgres_database, Window("local", timezone="UTC")) == []
    assert _ids(postgres_database, Window("local", timezone="Asia/Tokyo")) == [1]


def test_a_prepared_transaction_stops_new_reads(
    connection: psycopg.Connection, postgres_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection.execute("begin; insert into t values (1); prepare transaction 'orphan'")
    try:
        with pytest.raises(RetriableError, match="'orphan'"):
            _ids(postgres_database, Window("at"))
        with caplog.at_level(logging.WARNING):
            assert _ids(postgres_database, Window("at", _LONG_AGO)) == []
        assert "'orphan'" in caplog.text
    finally:
        connection.execute("commit prepared 'orphan'")
    assert _ids(postgres_database, Window("at", _LONG_AGO)) == [1]


def test_sessions_that_the_role_cannot_see_are_warned_of(
    connection: psycopg.Connection, postgres_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection.execute("drop role if exists blind; create role blind login; grant select on t to blind")
    dsn = postgres_database.replace("postgres@", "blind@")
    with caplog.at_level(logging.WARNING):
        _ids(dsn, Window("at"))
    assert "pg_read_all_stats" in caplog.text
    caplog.clear()
    connection.execute("grant pg_read_all_stats to blind")
    with caplog.at_level(logging.WARNING):
        _ids(dsn, Window("at"))
    assert caplog.text == ""
    connection.execute("drop owned by blind; drop role blind")


def test_null_cursors_come_along_unless_skipped(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("insert into t (id, at) values (1, null)")
    assert _ids(postgres_database, Window("at", _LONG_AGO, on_missing="include")) == [1]
    assert _ids(postgres_database, Window("at", _LONG_AGO, on_missing="skip")) == []


def test_a_cursor_that_travels_as_text_is_refused(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("alter table t add price numeric")
    with pytest.raises(InvalidData, match=r"'price' is of type numeric"):
        _ids(postgres_database, Window("price"))


def test_query_columns_and_where(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("insert into t (id) values (1), (2), (3)")
    assert _ids(postgres_database, Window(), where="id > 1 -- not the first") == [2, 3]
    assert _ids(postgres_database, Window(), query="select id + 10 as id from t; ") == [11, 12, 13]
    (page,) = PostgresConnector(dsn=postgres_database).read(Stream("t", {"columns": ["id"]}), Window(), None)
    assert page.batches[0].schema.names == ["id"]
    with pytest.raises(InvalidData, match=r"no column 'nope'.*id, at, local, day"):
        _ids(postgres_database, Window(), columns=["nope"])


def test_how_far_partitions_have_come(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute(
        "insert into t (id, at, local) values (1, '2026-01-01', '2026-03-29 00:30'), (2, '2026-01-05', '2026-03-29 23:30'),"
        " (3, 'infinity', '2026-03-31 00:00'), (4, null, '2026-04-02 00:00')"
    )
    connector, window = PostgresConnector(dsn=postgres_database), Window("at", timezone="UTC", on_missing="include")
    start = dt.datetime(2026, 3, 28, 23, tzinfo=dt.UTC)  # Berlin's midnight before the clocks change
    ends = [start, *(dt.datetime(2026, 3, day, 22, tzinfo=dt.UTC) for day in (29, 30, 31))]
    days = {str(i): TimeSlice("local", a, b, "Europe/Berlin") for i, (a, b) in enumerate(itertools.pairwise(ends))}
    found = connector.partition_cursors(
        Stream("t"), window, days | {"v": ValueSlice("id", "2"), "none": ValueSlice("id", "9")}
    )
    second = Cursor("timestamptz", "2026-01-05T00:00:00Z")
    assert found == {"0": second, "2": None, "v": second}

"""Loads into PostgreSQL: what the shared suite does not reach."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.errors import AccountingError, ConnectError, InvalidData, RetriableError, SchemaDrift
from platform_pipelines.model import Feed, Load, Mode, Offset, Receipt
from platform_pipelines.rowfiles import RowFiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FEED = Feed("p")


@pytest.fixture
def connection(postgres_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        yield connection


def _load(rows: pa.Table, table: str = "t", mode: Mode = "append", **changes: Any) -> Load:
    fields: dict[str, Any] = {"key": ("id",) if mode in {"merge", "update", "delete"} else (), "token": "pt", **changes}
    feed, offset = fields.pop("feed", _FEED), fields.pop("offset", Offset(1, 1))
    return Load(feed, table, mode, rows.schema, offset, fields.pop("announced", rows.num_rows), **fields)


def _run(dsn: str, rows: pa.Table, table: str = "t", mode: Mode = "append", **changes: Any) -> Receipt:
    return PostgresConnector(dsn=dsn).load(_load(rows, table, mode, **changes), rows.to_reader())


def _texts(connection: psycopg.Connection, query: str) -> list[Any]:
    return [row[0] for row in connection.execute(query.encode()).fetchall()]


_ARROW: list[tuple[str, pa.Array, str, list[str | None]]] = [
    ("uint64", pa.array([2**64 - 1, None], pa.uint64()), "numeric(20,0)", ["18446744073709551615", None]),
    ("uint32", pa.array([2**32 - 1], pa.uint32()), "bigint", ["4294967295"]),
    ("int8", pa.array([-128], pa.int8()), "smallint", ["-128"]),
    ("half", pa.array([1.5], pa.float16()), "real", ["1.5"]),
    ("nan", pa.array([float("nan"), float("inf")]), "double precision", ["NaN", "Infinity"]),
    ("wide", pa.array([Decimal("1" * 48 + ".25")], pa.decimal256(50, 2)), "numeric(50,2)", ["1" * 48 + ".25"]),
    ("time_ns", pa.array([dt.time(1, 2, 3, 4)], pa.time64("ns")), "time without time zone", ["01:02:03.000004"]),
    ("seconds", pa.array([1], pa.timestamp("s")), "timestamp without time zone", ["1970-01-01 00:00:01"]),
    (
        "ns_utc",
        pa.array([1_000], pa.timestamp("ns", "UTC")),
        "timestamp with time zone",
        ["1970-01-01 00:00:00.000001+00"],
    ),
    ("duration", pa.array([dt.timedelta(days=1, seconds=3)]), "interval", ["24:00:03"]),
    ("category", pa.array(["a", "b"]).dictionary_encode(), "text", ["a", "b"]),
    ("large", pa.array(["a"], pa.large_string()), "text", ["a"]),
    ("nothing", pa.nulls(2), "text", [None, None]),
    ("bytes", pa.array([b"\x00\xff"], pa.binary(2)), "bytea", ["\\x00ff"]),
    ("list", pa.array([[1, None], []]), "bigint[]", ["{1,NULL}", "{}"]),
    ("texts", pa.array([["a,b", None, ""]]), "text[]", ['{"a,b",NULL,""}']),
    ("amounts", pa.array([[Decimal("1.50")]]), "numeric(3,2)[]", ["{1.50}"]),
    ("struct", pa.array([{"a": 1, "b": ["x"]}]), "jsonb", ['{"a": 1, "b": ["x"]}']),
    ("map", pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "jsonb", ['{"k": 1}']),
]


@pytest.mark.parametrize(("values", "kind", "texts"), [case[1:] for case in _ARROW], ids=[case[0] for case in _ARROW])
def test_arrow_types(
    connection: psycopg.Connection, postgres_database: str, values: pa.Array, kind: str, texts: list[str | None]
) -> None:
    _run(postgres_database, pa.table({"x": values}))
    assert _texts(connection, "select x::text from t") == texts
    assert _texts(
        connection,
        "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 't'::regclass and attname = 'x'",
    ) == [kind]


def test_finer_than_a_microsecond_is_refused(postgres_database: str) -> None:
    with pytest.raises(InvalidData, match=r"'x' of type timestamp\[ns\].*lose data"):
        _run(postgres_database, pa.table({"x": pa.array([1], pa.timestamp("ns"))}))


def test_a_null_byte_names_its_column(connection: psycopg.Connection, postgres_database: str) -> None:
    with pytest.raises(InvalidData, match=r"column 'bad' holds a NUL byte"):
        _run(postgres_database, pa.table({"good": ["a", "b"], "bad": ["a", "x\x00y"]}))
    assert _texts(connection, "select count(*) from pg_class where relname = 't'") == [0]


def test_a_null_byte_in_a_landed_file_names_its_column(postgres_database: str, tmp_path: Path) -> None:
    rows = pa.table({"good": ["a"], "bad": ["x\x00y"]})
    pq.write_table(rows, tmp_path / "x.parquet")
    with pytest.raises(InvalidData, match=r"column 'bad' holds a NUL byte"):
        _run(postgres_database, rows, stored=RowFiles((tmp_path / "x.parquet",)))


def test_names_are_taken_as_they_are(connection: psycopg.Connection, postgres_database: str) -> None:
    rows = pa.table({"id": [1], "select": ["a"], 'quo"te': ["b"], "Größe": ["c"], "%s": ["d"]})
    for number in (1, 2):
        previous = Offset(1, number - 1) if number > 1 else None
        _run(postgres_database, rows, 'My Schema.Odd "Table"', "merge", offset=Offset(1, number), previous=previous)
    found = connection.execute('select "select", "quo""te", "Größe", "%s" from "My Schema"."Odd ""Table"""').fetchall()
    assert found == [("a", "b", "c", "d")]


def test_names_that_would_be_cut_off_are_refused(postgres_database: str) -> None:
    with pytest.raises(InvalidData, match=r"has 64 bytes; PostgreSQL allows 1 to 63"):
        _run(postgres_database, pa.table({"x" * 64: [1]}))


def test_a_users_table_keeps_its_shape(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute(
        "create table t (id int primary key, name varchar(5) not null default '-', doc jsonb, at timestamptz default now(),"
        " tag inet, note text)"
    )
    connection.execute("insert into t values (1, 'old')")
    rows = pa.table(
        {
            "id": pa.array([1, 2], pa.int32()),
            "name": ["new", "two"],
            "doc": ['{"a": 1}', None],
            "tag": ["::1", None],
            "note": [1.5, None],
        }
    )
    receipt = _run(postgres_database, rows, mode="merge")
    assert receipt.ddl == ('alter table "public"."t" add column "_pipelines_feed" text',)
    found = connection.execute(
        "select id, name, doc, tag::text, note, at is not null, _pipelines_feed from t order by id"
    ).fetchall()
    assert found == [(1, "new", {"a": 1}, "::1/128", "1.5", True, "p"), (2, "two", None, None, None, True, "p")]


_KEPT = "v int, kept int not null, _pipelines_feed text"


@pytest.mark.parametrize(
    "made",
    [
        f"create table t (id int primary key, {_KEPT})",
        f"create table t (id int, {_KEPT}) partition by range (id); create table t_1 partition of t default",
        f"create table t (id int primary key, {_KEPT}); create rule seen as on update to t do also select 1",
        f"create table base (id int primary key, {_KEPT}); create view t as select * from base",
    ],
    ids=["plain", "partitioned", "rules", "view"],
)
def test_a_merge_touches_what_is_there_and_not_newer(
    connection: psycopg.Connection, postgres_database: str, made: str
) -> None:
    connection.execute(made.encode())
    connection.execute("insert into t values (1, 10, 7), (2, 20, 7), (3, null, 7)")
    # a column that is not loaded, and has no default, is no hindrance where no row is new
    receipt = _run(postgres_database, _versions({1: 11, 2: 19, 3: 1}), mode="merge", cursor="v")
    assert (receipt.loaded, receipt.superseded) == (2, 1)
    found = connection.execute("select id, v, kept from t order by id").fetchall()
    assert found == [(1, 11, 7), (2, 20, 7), (3, 1, 7)]


def _versions(rows: dict[int, int]) -> pa.Table:
    return pa.table({"id": pa.array(rows, pa.int32()), "v": pa.array(rows.values(), pa.int32())})


def test_text_that_is_too_long_is_refused_not_cut(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("create table t (name varchar(5))")
    with pytest.raises(InvalidData, match=r"too long for type character varying\(5\)"):
        _run(postgres_database, pa.table({"name": ["much too long"]}))


def test_a_new_table_has_a_primary_key(connection: psycopg.Connection, postgres_database: str) -> None:
    _run(postgres_database, pa.table({"id": [1], "day": ["a"], "v": [1]}), mode="merge", key=("day", "id"))
    keys = "select array_agg(attname::text) from pg_index i join pg_attribute a on attrelid = indrelid and attnum = any(indkey) where indisprimary and indrelid = 't'::regclass"
    assert sorted(_texts(connection, keys)[0]) == ["day", "id"]


@pytest.mark.parametrize(
    ("have", "arriving", "becomes"),
    [
        ("integer", pa.array([2**40]), "bigint"),
        ("integer", pa.array([Decimal("1.25")], pa.decimal128(12, 2)), "numeric(12,2)"),
        ("bigint", pa.array([Decimal(10) ** 30], pa.decimal128(38, 0)), "numeric(38,0)"),
        ("numeric(10,2)", pa.array([Decimal("1.2345")], pa.decimal128(12, 4)), "numeric(12,4)"),
        ("numeric(10,2)", pa.array([5]), "numeric(10,2)"),
        ("real", pa.array([0.1]), "double precision"),
        ("date", pa.array([1], pa.timestamp("us")), "timestamp without time zone"),
        ("timestamp(0) without time zone", pa.array([1], pa.timestamp("us")), "timestamp without time zone"),
        ("text", pa.array([5]), "text"),
    ],
)
def test_types_widen(
    connection: psycopg.Connection, postgres_database: str, have: str, arriving: pa.Array, becomes: str
) -> None:
    connection.execute(f"create table t (x {have}); insert into t values (null)".encode())
    _run(postgres_database, pa.table({"x": arriving}))
    kind = "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 't'::regclass and attname = 'x'"
    assert _texts(connection, kind) == [becomes]
    assert _texts(connection, "select count(x) from t") == [1]


def test_a_type_that_does_not_fit_is_drift(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("create table t (id int, x integer, _pipelines_feed text); insert into t values (9, 9, 'other')")
    rows = pa.table({"id": [1], "x": ["text"]})
    with pytest.raises(SchemaDrift, match=r"Column 'x' of t is integer, but text arrives.*--allow-destructive"):
        _run(postgres_database, rows)
    again = {"fresh": True}
    assert PostgresConnector(dsn=postgres_database).plan_load(_load(rows, **again)).destructive == (
        'alter table "public"."t" alter column "x" type text using null',
    )
    with pytest.raises(SchemaDrift, match=r"would lose values of t"):
        _run(postgres_database, rows, **again)
    _run(postgres_database, rows, **again, allow_destructive=True)
    assert connection.execute("select x, _pipelines_feed from t order by id").fetchall() == [
        ("text", "p"),
        (None, "other"),
    ]


def test_a_plan_changes_nothing(connection: psycopg.Connection, postgres_database: str) -> None:
    rows = pa.table({"id": [1]})
    plan = PostgresConnector(dsn=postgres_database).plan_load(_load(rows, "raw.t", "merge"))
    assert plan.ddl == ('create table "raw"."t" ("id" bigint not null, "_pipelines_feed" text)',)
    assert _texts(connection, "select count(*) from pg_namespace where nspname = 'raw'") == [0]


def test_rows_that_were_not_announced_are_rolled_back(connection: psycopg.Connection, postgres_database: str) -> None:
    with pytest.raises(AccountingError, match="3 rows were announced for t, but 2 arrived"):
        _run(postgres_database, pa.table({"id": [1, 2]}), announced=3)
    assert _texts(connection, "select count(*) from pg_class where relname in ('t', '_pipelines_loads')") == [0]


def test_duplicate_keys_in_a_users_table_are_refused(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("create table t (id int, v text); insert into t values (1, 'a'), (1, 'b')")
    with pytest.raises(InvalidData, match=r"several rows with one key \(id\)"):
        _run(postgres_database, pa.table({"id": [1], "v": ["c"]}), mode="merge")
    assert _texts(connection, "select v from t order by v") == ["a", "b"]


def test_the_readers_own_exception_comes_through(postgres_database: str) -> None:
    rows = pa.table({"id": [1]})

    def batches() -> Iterator[pa.RecordBatch]:
        yield from rows.to_batches()
        raise KeyError("the source's own")  # noqa: EM101, TRY003 - stands for any exception

    reader = pa.RecordBatchReader.from_batches(rows.schema, batches())
    with pytest.raises(KeyError, match="the source's own"):
        PostgresConnector(dsn=postgres_database).load(_load(rows), reader)


def test_readers_see_all_or_nothing_of_a_replace(connection: psycopg.Connection, postgres_database: str) -> None:
    rows = pa.table({"id": list(range(1000))})
    _run(postgres_database, rows, mode="replace")
    seen: set[int] = set()

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows.to_batches(max_chunksize=200):
            seen.update(_texts(connection, "select count(*) from t"))
            yield batch

    reader = pa.RecordBatchReader.from_batches(rows.schema, batches())
    load = _load(rows, mode="replace", offset=Offset(2, 1), previous=Offset(1, 1), fresh=True)
    PostgresConnector(dsn=postgres_database).load(load, reader)
    seen.update(_texts(connection, "select count(*) from t"))
    assert seen == {1000}


def test_two_pipelines_merge_into_one_table_at_once(connection: psycopg.Connection, postgres_database: str) -> None:
    rows = pa.table({"id": list(range(2000)), "v": ["x"] * 2000})
    errors: list[BaseException] = []

    def work(pipeline: str) -> None:
        try:
            for number in range(1, 4):
                previous = Offset(1, number - 1) if number > 1 else None
                _run(
                    postgres_database,
                    rows,
                    "raw.t",
                    "merge",
                    feed=Feed(pipeline),
                    offset=Offset(1, number),
                    previous=previous,
                )
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"p{i}",)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert _texts(connection, "select count(*) from raw.t") == [2000]
    assert _texts(connection, "select sequence from raw._pipelines_loads") == [3, 3, 3]


def test_waiting_for_a_lock_may_be_bounded(connection: psycopg.Connection, postgres_database: str) -> None:
    rows = pa.table({"id": [1]})
    _run(postgres_database, rows)
    with connection.transaction():
        connection.execute("lock table t")
        with pytest.raises(RetriableError, match="lock timeout"):
            _run(
                f"{postgres_database}?options=-c%20lock_timeout%3D100", rows, offset=Offset(1, 2), previous=Offset(1, 1)
            )


def test_no_password_in_any_message() -> None:
    connector = PostgresConnector(dsn="postgresql://user:hunter2secret@127.0.0.1:9/db")
    with pytest.raises(ConnectError, match="127.0.0.1:9/db") as caught:
        connector.check()
    assert "hunter2secret" not in str(caught.value)
    assert "hunter2secret" not in repr(connector)
    with pytest.raises(ConnectError, match="cannot be read") as caught:
        PostgresConnector(dsn="hunter2secret is no dsn").check()
    assert "hunter2secret" not in str(caught.value)


def test_a_refused_role_is_named(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("drop role if exists guest; create role guest login; create table t (id int)")
    with pytest.raises(ConnectError, match=r"permission denied"):
        _run(postgres_database.replace("postgres@", "guest@"), pa.table({"id": [1]}))
    connection.execute("drop role guest")

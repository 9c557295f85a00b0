"""Every PostgreSQL type: out of a table, through a landed Parquet file, into another table, the same to the letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.model import Feed, Load, Offset, Stream, Window
from platform_pipelines.rowfiles import NOWHERE, RowFiles

if TYPE_CHECKING:
    from pathlib import Path

_SETUP = """
create type mood as enum ('sad', 'ok', 'it''s fine');
create type place as (street text, number int);
create domain positive as integer check (value > 0);
create domain short as varchar(5);
"""

# type, values as SQL text
_VALUES: list[tuple[str, list[str]]] = [
    ("boolean", ["true", "false"]),
    ("smallint", ["-32768", "32767"]),
    ("integer", ["-2147483648", "2147483647"]),
    ("bigint", ["-9223372036854775808", "9223372036854775807"]),
    ("real", ["1.1", "NaN", "-Infinity", "3.4028235e38"]),
    ("double precision", ["0.1", "NaN", "Infinity", "1e-307"]),
    ("numeric", ["0.1", "NaN", "Infinity", "123456789012345678901234567890.1234567890123456789"]),
    ("numeric(10,2)", ["12345678.90", "-0.01"]),
    ("numeric(38,10)", ["1234567890123456789012345678.0123456789"]),
    ("numeric(50,4)", ["1234567890123456789012345678901234567890.0001"]),
    ("numeric(5,-2)", ["1234500"]),
    ("numeric(3,5)", ["0.00123"]),
    ("money", ["1234.56", "-0.99"]),
    ("text", ["", "NULL", "\\N", "0012", 'quo"te', "line\nbreak", "Zoë 🐘"]),
    ("character varying(10)", ["ab  ", "zürich"]),
    ("character(5)", ["ab", ""]),
    ('"char"', ["x"]),
    ("name", ["a name"]),
    ("bytea", ["\\x00ff10", "\\x"]),
    ("date", ["2026-02-28", "infinity", "-infinity", "0044-03-15 BC", "5874897-12-31"]),
    ("timestamp without time zone", ["2026-01-01 00:00:00.000001", "infinity", "-infinity", "0044-03-15 12:00 BC"]),
    ("timestamp(3) without time zone", ["2026-01-01 00:00:00.123"]),
    ("timestamp with time zone", ["2026-01-01 00:00:00.999999+05:45", "infinity", "0001-01-01 00:00:00+00"]),
    ("time without time zone", ["23:59:59.999999", "24:00:00"]),
    ("time with time zone", ["12:00:00.5+05:45"]),
    ("interval", ["1 year 2 mons 3 days 04:05:06.789", "-1 days +00:00:01"]),
    ("interval day to second", ["3 days 04:05:06"]),
    ("uuid", ["3b8e8b5e-1111-2222-3333-444455556666"]),
    ("json", ['{"b": 1,  "a": 12345678901234567890.10}', "null"]),
    ("jsonb", ['{"a": [1, 2.50, "x"]}', '"text"']),
    ("inet", ["192.168.0.1/24", "::1"]),
    ("cidr", ["10.0.0.0/8"]),
    ("macaddr", ["08:00:2b:01:02:03"]),
    ("bit(3)", ["101"]),
    ("bit varying(8)", ["1", "10101010"]),
    ("int4range", ["[1,5)", "empty"]),
    ("tstzrange", ['["2026-01-01 00:00:00+00",)']),
    ("tsvector", ["'fat':2 'cat':3"]),
    ("point", ["(1.5,2.5)"]),
    ("oid", ["4294967295"]),
    ("mood", ["ok", "it's fine"]),
    ("place", ['("Main St",5)']),
    ("positive", ["5"]),
    ("short", ["abc"]),
    ("integer[]", ["{1,NULL,3}", "{}"]),
    ("text[]", ['{a,NULL,"NULL","x,y",""}']),
    ("double precision[]", ["{0.1,NaN}"]),
    ("timestamp with time zone[]", ['{"2026-01-01 00:00:00+00",infinity}']),
    ("numeric(10,2)[]", ["{1.50,NULL}"]),
    ("numeric[]", ["{1.500000000000000000001,NaN}"]),
    ("uuid[]", ["{3b8e8b5e-1111-2222-3333-444455556666}"]),
    ("jsonb[]", ['{"{\\"a\\": 1}"}']),
    ("mood[]", ["{sad,ok}"]),
]


@pytest.fixture
def connection(postgres_database: str) -> Any:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(_SETUP)
        yield connection


def _copy(dsn: str, stream: str, table: str, folder: Path | None, **options: Any) -> pa.Schema:
    """Read a stream and load it: by way of a Parquet file, or straight from the batches."""
    connector = PostgresConnector(dsn=dsn)
    batches = [b for page in connector.read(Stream(stream, options), Window(), None) for b in page.batches]
    rows = pa.Table.from_batches(batches)
    stored = NOWHERE
    if folder:
        stored = RowFiles((folder / "batch.parquet",))
        pq.write_table(rows, folder / "batch.parquet")
    load = Load(Feed("copy"), table, "append", rows.schema, Offset(1, 1), rows.num_rows, "pt", stored=stored)
    connector.load(load, rows.to_reader())
    return rows.schema


@pytest.mark.parametrize("landed", [True, False], ids=["files", "batches"])
def test_all_types_survive(
    connection: psycopg.Connection, postgres_database: str, tmp_path: Path, *, landed: bool
) -> None:
    names = [f"c{i}" for i in range(len(_VALUES))]
    connection.execute("create table everything (id integer)")
    for name, (kind, _) in zip(names, _VALUES, strict=True):
        connection.execute(f"alter table everything add column {name} {kind}".encode())
    for row in range(max(len(values) for _, values in _VALUES) + 1):
        chosen = [values[row] if row < len(values) else None for _, values in _VALUES]
        marks = ", ".join("%s" for _ in chosen)
        connection.execute(f"insert into everything values ({row}, {marks})".encode(), chosen)

    _copy(postgres_database, "everything", "copied", tmp_path if landed else None)

    for name, (kind, _) in zip(names, _VALUES, strict=True):
        text = f"textin(bpcharout({name}))" if kind == "character(5)" else f"{name}::text"
        rows = [
            connection.execute(f"select {text} from {t} order by id".encode()).fetchall()
            for t in ("everything", "copied")
        ]
        assert rows[0] == rows[1], kind
        type_of = "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'copied'::regclass and attname = %s"
        assert connection.execute(type_of, [name]).fetchone() == (kind,)


def test_the_listed_schema_is_the_schema_that_is_read(connection: psycopg.Connection, postgres_database: str) -> None:
    columns = ", ".join(f"c{i} {kind}" for i, (kind, _) in enumerate(_VALUES))
    connection.execute(f"create table everything ({columns})".encode())
    connection.execute("insert into everything default values")
    connector = PostgresConnector(dsn=postgres_database)
    (info,) = connector.streams()
    (page,) = connector.read(Stream("public.everything"), Window(), None)
    assert info.schema is not None
    assert info.schema.equals(page.batches[0].schema, check_metadata=True)


def test_nan_in_a_decimal_column_is_no_silent_zero(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("create table t (price numeric(10,2)); insert into t values (1.5), ('NaN')")
    with pytest.raises(InvalidData, match=r"'price' holds NaN.*price::numeric"):
        _copy(postgres_database, "t", "copied", None)
    _copy(postgres_database, "t", "copied", None, query="select price::numeric as price from t")
    assert connection.execute("select price::text from copied").fetchall() == [("1.50",), ("NaN",)]


def test_a_timestamp_that_overflows_is_refused(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("create table t (at timestamptz); insert into t values ('294276-12-31')")
    with pytest.raises(InvalidData, match=r"'at' holds a timestamp after the year 294246"):
        _copy(postgres_database, "t", "copied", None)


@pytest.mark.parametrize("kind", ["int[]", "text[]", "numeric[]"])
@pytest.mark.parametrize("value", ["{{1,2},{3,4}}", "[0:1]={1,2}"])
def test_arrays_that_are_no_lists_are_refused(
    connection: psycopg.Connection, postgres_database: str, kind: str, value: str
) -> None:
    """Bounds other than 1 used to be lost without a word."""
    connection.execute(f"create table t (a {kind}); insert into t values ('{value}')".encode())
    with pytest.raises(InvalidData, match=r"Column 'a' holds an array of several dimensions.*a::text as a"):
        _copy(postgres_database, "t", "copied", None)
    _copy(postgres_database, "t", "copied", None, query="select a::text as a from t")
    assert connection.execute("select a from copied").fetchall() == [(value,)]


def test_generated_columns_and_domains_arrive_as_values(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute(
        "create table t (id positive, double int generated always as (id * 2) stored, "
        "number int generated always as identity)"
    )
    connection.execute("insert into t (id) values (5)")
    _copy(postgres_database, "t", "copied", None)
    assert connection.execute("select id, double, number from copied").fetchall() == [(5, 10, 1)]
    with pytest.raises(psycopg.errors.CheckViolation):  # the domain came along
        connection.execute("insert into copied (id) values (-1)")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_databases_in_other_encodings(postgres_dsn: str, encoding: str, tmp_path: Path) -> None:
    """Text arrives as Unicode, from and to a database that stores it otherwise; what it cannot store is refused."""
    name, text = f"other_{encoding.lower()}", "日本" if encoding == "EUC_JP" else "Zürich"
    dsn = postgres_dsn.rsplit("/", 1)[0] + f"/{name}"
    with psycopg.connect(postgres_dsn, autocommit=True) as server:
        server.execute(f"create database {name} encoding '{encoding}' locale 'C' template template0".encode())
        with psycopg.connect(dsn, autocommit=True, client_encoding="utf8") as other:
            other.execute("create table t (v text)")
            other.execute("insert into t values (%s)", [text])
            _copy(dsn, "t", "copied", tmp_path)
            assert other.execute("select v from copied").fetchall() == [(text,)]
            if encoding != "SQL_ASCII":
                load = Load(Feed("e"), "e", "append", pa.schema([("v", pa.string())]), Offset(1, 1), 1, "pt")
                with pytest.raises(InvalidData, match="has no equivalent in encoding"):
                    PostgresConnector(dsn=dsn).load(load, pa.table({"v": ["🐘"]}).to_reader())
        server.execute(f"drop database {name} with (force)".encode())


def test_what_the_environment_says_of_encodings_does_not_matter(
    connection: psycopg.Connection, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and values were garbled under PGCLIENTENCODING."""
    connection.execute('create table "Größe" ("Straße" text); insert into "Größe" values (\'Zoë 🐘\')')
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    _copy(postgres_database, "Größe", "Käufe", None)
    assert connection.execute('select "Straße" from "Käufe"').fetchall() == [("Zoë 🐘",)]


NAMES = [
    "select", "Select2", "UPPER", "with space", 'quo"te', "it's", "a.b", "per%cent", "{brace}", "back\\slash", "Größe",
    "🐘", "日本語", "-- comment", "/* */", ";", "x" * 63, "ü" * 31, "order", "user", "null", "_", "1st", "$1", "new\nline",
]  # fmt: skip


def test_columns_and_tables_of_any_name(connection: psycopg.Connection, postgres_database: str, tmp_path: Path) -> None:
    from psycopg import sql

    for place, name in enumerate(NAMES):
        table = sql.Identifier(name)
        columns = sql.SQL(", ").join(sql.SQL("{} int").format(sql.Identifier(each)) for each in NAMES)
        connection.execute(sql.SQL("create table {} ({})").format(table, columns))
        connection.execute(sql.SQL("insert into {} ({}) values (7)").format(table, sql.Identifier(name)))
        (landed := tmp_path / str(place)).mkdir()
        for folder in (None, landed) if place < 3 else (None,):
            schema = name[:20].replace(".", "")  # the first dot parts schema and table
            copied = f"Copy {name}"[:31] + str(bool(folder))
            _copy(postgres_database, f"public.{name}", f"{schema}.{copied}", folder)
            query = sql.SQL("select * from {}.{}").format(sql.Identifier(schema), sql.Identifier(copied))
            result = connection.execute(query)
            assert [column.name for column in result.description or ()][: len(NAMES)] == NAMES
            assert (result.fetchall()[0])[place] == 7


@pytest.mark.parametrize("name", ["x" * 64, "ü" * 32])
def test_names_that_postgres_would_cut_off_are_refused(postgres_database: str, name: str) -> None:
    load = Load(Feed("e"), "e", "append", pa.schema([(name, pa.string())]), Offset(1, 1), 1, "pt")
    with pytest.raises(InvalidData, match=r"64 bytes; PostgreSQL allows 1 to 63"):
        PostgresConnector(dsn=postgres_database).load(load, pa.table({name: ["a"]}).to_reader())


def test_a_large_table_is_streamed_in_batches(connection: psycopg.Connection, postgres_database: str) -> None:
    connection.execute("create table t as select g as id, repeat('x', 20) as v from generate_series(1, 200000) g")
    pages = [
        b.num_rows
        for p in PostgresConnector(dsn=postgres_database).read(Stream("t"), Window(), None)
        for b in p.batches
    ]
    assert sum(pages) == 200_000
    assert max(pages) <= 65_536

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from platform_pipelines import duck
from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import CursorError, InvalidData
from platform_pipelines.model import TimeSlice, ValueSlice, Window
from platform_pipelines.sql.dialect import DUCKDB, POSTGRES, Dialect
from platform_pipelines.sql.predicates import families, window_sql

_AT = Cursor("timestamptz", "2026-03-29T01:30:00.5Z")
_BERLIN = TimeSlice(
    "f", dt.datetime(2026, 3, 28, 23, tzinfo=dt.UTC), dt.datetime(2026, 3, 29, 22, tzinfo=dt.UTC), "Europe/Berlin"
)


def _sql(low: Cursor, family: str, dialect: Dialect = POSTGRES, zone: str | None = None) -> str:
    window = Window("f", low, timezone=zone, on_missing="skip")
    return window_sql(window, {"f": family}, dialect)  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("low", "family", "zone", "expected"),
    [
        (Cursor("int", "-5"), "int", None, '"f" >= (-5)'),
        (Cursor("int", "5"), "decimal", None, '"f" >= 5'),
        (Cursor("decimal", "1.50"), "decimal", None, '"f" >= 1.50'),
        (Cursor("float", "0.1"), "float", None, "\"f\" >= cast('0.1' as double precision)"),
        (Cursor("string", "O'x"), "string", None, "\"f\" collate \"C\" >= 'O''x'"),
        (Cursor("string", "3b8e"), "uuid", None, "\"f\" >= '3b8e'"),
        (Cursor("date", "2026-01-31"), "date", None, "\"f\" >= date '2026-01-31'"),
        (Cursor("date", "2026-01-31"), "timestamp", None, "\"f\" >= timestamp '2026-01-31 00:00:00'"),
        (Cursor("date", "2026-01-31"), "timestamptz", "Asia/Tokyo", "\"f\" >= timestamptz '2026-01-30 15:00:00+00'"),
        (_AT, "timestamptz", "Asia/Tokyo", "\"f\" >= timestamptz '2026-03-29 01:30:00.5+00'"),
        (_AT, "timestamp", "Europe/Berlin", "\"f\" >= timestamp '2026-03-29 03:30:00.5'"),
        (_AT, "date", "UTC", "\"f\" >= timestamp '2026-03-29 01:30:00.5'"),
        (Cursor("timestamp", "2026-01-01T00:00:00"), "timestamp", None, "\"f\" >= timestamp '2026-01-01 00:00:00'"),
    ],
)
def test_bounds_by_type(low: Cursor, family: str, zone: str | None, expected: str) -> None:
    assert _sql(low, family, zone=zone) == expected


def test_a_bound_finer_than_the_column_is_rounded_up() -> None:
    low = Cursor("timestamp", "2025-12-31T23:59:59.999999001")
    assert _sql(low, "timestamp") == "\"f\" >= timestamp '2026-01-01 00:00:00'"
    assert _sql(low, "timestamp", DUCKDB) == "\"f\" >= timestamp_ns '2025-12-31 23:59:59.999999001'"
    assert _sql(Cursor("timestamptz", low.text + "Z"), "timestamptz", DUCKDB).endswith("'2026-01-01 00:00:00+00'")


def test_low_high_and_null() -> None:
    window = Window("f", Cursor("int", "1"), Cursor("int", "9"), on_missing="include")
    assert window_sql(window, {"f": "int"}, DUCKDB) == '("f" >= 1 and "f" < 9 or "f" is null)'
    assert window_sql(Window("f"), {"f": "int"}, DUCKDB) == ""
    assert window_sql(Window(), {}, DUCKDB) == ""


@pytest.mark.parametrize(
    ("family", "low", "high"),
    [
        ("timestamptz", "2026-03-28 23:00:00+00", "2026-03-29 22:00:00+00"),
        ("timestamp", "2026-03-29 00:00:00", "2026-03-30 00:00:00"),
    ],
)
def test_a_day_in_its_zone(family: str, low: str, high: str) -> None:
    found = window_sql(Window(partition=_BERLIN), {"f": family}, POSTGRES)  # type: ignore[dict-item]
    assert found == f"\"f\" >= {family} '{low}' and \"f\" < {family} '{high}'"


def test_a_partition_and_a_cursor_are_both_asked_for() -> None:
    window = Window("id", Cursor("int", "1"), on_missing="skip", partition=ValueSlice("region", "e'u"))
    assert window_sql(window, {"id": "int", "region": "string"}, DUCKDB) == "\"id\" >= 1 and \"region\" = 'e''u'"


@pytest.mark.parametrize(
    ("window", "columns", "error", "message"),
    [
        (Window("updatd"), {"updated": "int"}, CursorError, r"cursor field 'updatd' .* Did you mean 'updated'\?"),
        (
            Window("f", Cursor("int", "1")),
            {"f": "string"},
            CursorError,
            "is of type string now, but the bound '1' is int",
        ),
        (Window(partition=_BERLIN), {"f": "string"}, InvalidData, "needs a date or a timestamp"),
        (Window(partition=ValueSlice("g", "1")), {"f": "int"}, InvalidData, "partition field 'g' is not a column"),
        (
            Window(partition=ValueSlice("f", "one")),
            {"f": "int"},
            InvalidData,
            "'one' does not fit field 'f' of type int",
        ),
    ],
)
def test_what_does_not_compare_is_refused(
    window: Window, columns: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        window_sql(window, columns, DUCKDB)  # type: ignore[arg-type]


def test_families_of_an_arrow_schema() -> None:
    schema = pa.schema(
        [("a", pa.int8()), ("b", pa.timestamp("us", "UTC")), ("c", pa.list_(pa.int8())), ("d", pa.bool_())]
    )
    assert families(schema) == {"a": "int", "b": "timestamptz", "c": "other", "d": "bool"}


def test_literals_mean_in_duckdb_what_they_say() -> None:
    with duck.connect() as connection:
        rows = connection.execute(
            f"select count(*) from (values (timestamptz '2026-03-29 01:30:00.5+00')) as t(f) where {_sql(_AT, 'timestamptz', DUCKDB)}"
        ).fetchall()
    assert rows == [(1,)]

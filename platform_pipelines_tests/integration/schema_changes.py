"""The table of schema changes: what happens to column `v` of a table between two runs, under each contract.

Rows: 1 is updated after the change, 2 is not touched, 3 is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Setting = Literal["widen", "reject", "fail"]


@dataclass(frozen=True)
class Ends:
    """What every destination holds after the second run.

    Attributes:
        types: of `v` in PostgreSQL, DuckDB and Parquet (as DuckDB reads it).
        values: of rows 1, 2 and 3 in PostgreSQL as text; None for a row that is not there.
        shown: the same in DuckDB and Parquet, where that differs.
        rejected: rows among the dead letters.
    """

    types: tuple[str, str, str]
    values: tuple[str | None, str | None, str | None]
    shown: tuple[str | None, str | None, str | None] | None = None
    rejected: int = 0


@dataclass(frozen=True)
class Change:
    """One change of a type.

    Attributes:
        name: of the case.
        before: the column's type, and its value in rows 1 and 2, as SQL.
        alter: what follows ``alter table t alter v type``.
        new: the values of rows 1 and 3 afterwards, as SQL.
        widen: under ``type_changes: widen``; None where that refuses it.
        reject: under ``reject``.
        fail: under ``fail``; None where that refuses it.
        anew: after a full refresh that may destroy, where ``widen`` refuses; the types and values.
    """

    name: str
    before: tuple[str, str]
    alter: str
    new: tuple[str, str]
    widen: Ends | None
    reject: Ends
    fail: Ends | None = None
    anew: Ends | None = None

    def expected(self, setting: Setting) -> Ends | None:
        """What the second run ends in; None if it is refused."""
        return {"widen": self.widen, "reject": self.reject, "fail": self.fail}[setting]


def _same(
    *types: str, values: tuple[str | None, str | None, str | None], shown: tuple[str, str, str] | None = None
) -> Ends:
    return Ends((types[0], types[1], types[-1]), values, shown)


def _less(
    *types: str, values: tuple[str | None, str | None, str | None], shown: tuple[str, str, str] | None = None
) -> Ends:
    """One row is rejected; of row 1 the old version stays."""
    return Ends((types[0], types[1], types[-1]), values, shown, 1)


_INT = ("integer", "INTEGER")
_BIGINT = ("bigint", "BIGINT")
_TEXT = ("text", "VARCHAR")
_DOUBLE = ("double precision", "DOUBLE")
_ZONED = ("timestamp with time zone", "TIMESTAMP WITH TIME ZONE")
_NAIVE = ("timestamp without time zone", "TIMESTAMP")


def _decimal(digits: int, scale: int) -> tuple[str, str]:
    return f"numeric({digits},{scale})", f"DECIMAL({digits},{scale})"


# fmt: off
CHANGES: tuple[Change, ...] = (
    # wider
    Change("smallint to int", ("smallint", "1"), "int", ("40000", "9"),
           widen=_same(*_INT, values=("40000", "1", "9")),
           reject=_less("smallint", "SMALLINT", values=("1", "1", "9"))),
    Change("int to bigint", ("int", "1"), "bigint", ("2147483648", "9"),
           widen=_same(*_BIGINT, values=("2147483648", "1", "9")), reject=_less(*_INT, values=("1", "1", "9"))),
    Change("numeric(10,2) to numeric(20,4)", ("numeric(10,2)", "1.5"), "numeric(20,4)", ("1234567890123456.1234", "9"),
           widen=_same(*_decimal(20, 4), values=("1234567890123456.1234", "1.5000", "9.0000")),
           reject=_less(*_decimal(10, 2), values=("1.50", "1.50", "9.00"))),
    Change("more fraction digits", ("numeric(10,2)", "1.5"), "numeric(12,4)", ("1.2345", "1.25"),
           widen=_same(*_decimal(12, 4), values=("1.2345", "1.5000", "1.2500")),
           reject=_less(*_decimal(10, 2), values=("1.50", "1.50", "1.25"))),
    Change("int to numeric(12,2)", ("int", "1"), "numeric(12,2)", ("0.5", "9"),
           widen=_same(*_decimal(12, 2), values=("0.50", "1.00", "9.00")), reject=_less(*_INT, values=("1", "1", "9"))),
    Change("int to double", ("int", "1"), "double precision", ("0.5", "9"),
           widen=_same(*_DOUBLE, values=("0.5", "1", "9"), shown=("0.5", "1.0", "9.0")),
           reject=_less(*_INT, values=("1", "1", "9"))),
    Change("real to double", ("real", "1.5"), "double precision", ("0.1", "9"),
           widen=_same(*_DOUBLE, values=("0.1", "1.5", "9"), shown=("0.1", "1.5", "9.0")),
           reject=_less("real", "FLOAT", values=("1.5", "1.5", "9"), shown=("1.5", "1.5", "9.0"))),
    Change("date to timestamp", ("date", "'2026-01-01'"), "timestamp", ("'2026-01-01 12:00'", "'2026-02-01'"),
           widen=_same(*_NAIVE, values=("2026-01-01 12:00:00", "2026-01-01 00:00:00", "2026-02-01 00:00:00")),
           reject=_less("date", "DATE", values=("2026-01-01", "2026-01-01", "2026-02-01"))),
    # lengths of text are no types to the contract: DuckDB and Parquet do not have them
    Change("varchar(3) to varchar(20)", ("varchar(3)", "'ab'"), "varchar(20)", ("'abcdefgh'", "'x'"),
           *[_same("character varying(20)", "VARCHAR", values=("abcdefgh", "ab", "x"))] * 3),
    Change("varchar(3) to text", ("varchar(3)", "'ab'"), "text", ("'abcdefgh'", "'x'"),
           *[_same(*_TEXT, values=("abcdefgh", "ab", "x"))] * 3),
    # narrower: the destination stays as wide as it was
    Change("bigint to int", ("bigint", "1"), "int", ("2", "9"),
           *[_same(*_BIGINT, values=("2", "1", "9"))] * 2),
    Change("numeric(20,4) to numeric(10,2)", ("numeric(20,4)", "1.5"), "numeric(10,2)", ("2.25", "9"),
           *[_same(*_decimal(20, 4), values=("2.2500", "1.5000", "9.0000"))] * 2),
    Change("varchar(20) to varchar(3)", ("varchar(20)", "'ab'"), "varchar(3)", ("'xyz'", "'x'"),
           *[_same("character varying(20)", "VARCHAR", values=("xyz", "ab", "x"))] * 3),
    Change("double to real", ("double precision", "1.5"), "real", ("0.5", "9"),
           *[_same(*_DOUBLE, values=("0.5", "1.5", "9"), shown=("0.5", "1.5", "9.0"))] * 2),
    Change("timestamp to date", ("timestamp", "'2026-01-01'"), "date", ("'2026-01-03'", "'2026-02-01'"),
           *[_same(*_NAIVE, values=("2026-01-03 00:00:00", "2026-01-01 00:00:00", "2026-02-01 00:00:00"))] * 2),
    # another type
    Change("int to text", ("int", "1"), "text", ("'abc'", "'12'"), widen=None,
           reject=_less(*_INT, values=("1", "1", "12")), anew=_same(*_TEXT, values=("abc", "1", "12"))),
    Change("text to int", ("text", "'1'"), "int using v::int", ("7", "12"), widen=None,
           reject=_same(*_TEXT, values=("7", "1", "12")),
           anew=_same(*_TEXT, "INTEGER", values=("7", "1", "12"))),  # text holds integers: only Parquet changes
    Change("int to boolean", ("int", "1"), "boolean using v = 1", ("false", "true"), widen=None,
           reject=_same(*_INT, values=("0", "1", "1")),
           anew=_same("boolean", "BOOLEAN", values=("false", "true", "true"))),
    Change("timestamp to timestamptz", ("timestamp", "'2026-01-01 12:00'"), "timestamptz using v at time zone 'UTC'",
           ("'2026-01-03 00:00+02'", "'2026-02-01 00:00+00'"), widen=None,
           reject=Ends((*_NAIVE, "TIMESTAMP"), ("2026-01-01 12:00:00", "2026-01-01 12:00:00", None), rejected=3),
           anew=_same(*_ZONED, values=("2026-01-02 22:00:00+00", "2026-01-01 12:00:00+00", "2026-02-01 00:00:00+00"))),
    Change("numeric(10,2) to numeric", ("numeric(10,2)", "1.5"), "numeric", ("1234567890123456.12345", "9"), widen=None,
           reject=_less(*_decimal(10, 2), values=("1.50", "1.50", "9.00")),
           anew=_same("numeric", "VARCHAR", values=("1234567890123456.12345", "1.50", "9"))),
)
# fmt: on

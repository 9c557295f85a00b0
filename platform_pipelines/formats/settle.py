"""Decides the type of each column of text from all its values, not from a sample.

Declared types win, then the types landed last time (widened where that loses
nothing and is allowed), then the narrowest type that takes every value. Where
text comes from is left to the pieces, reading to ``text_read``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from platform_pipelines.duck import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from platform_pipelines.formats.casts import Cast
    from platform_pipelines.formats.pieces import Piece

Origin = Literal["declared", "landed", "inferred"]
#: rows of a sample, and values of a sample of many columns
_SAMPLE, _SAMPLE_VALUES = 2_000, 2_000_000
#: columns that one query is about: of a sample, for each of which all types are tried, and of all rows
_SAMPLED, _AT_ONCE = 4, 250


@dataclass(frozen=True, slots=True)
class Column:
    """What a column may become.

    Attributes:
        name: the column.
        origin: who says so.
        casts: the types to try, in this order.
    """

    name: str
    origin: Origin
    casts: tuple[Cast, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """A column's type.

    Attributes:
        cast: how its text is read.
        origin: who says so.
        misfits: values that do not fit, by the number of the piece that holds them.
    """

    cast: Cast
    origin: Origin
    misfits: Mapping[int, int]


class MalformedError(Exception):
    """DuckDB's CSV reader refuses a piece; its connection may be unusable now."""

    def __init__(self, piece: int) -> None:
        super().__init__(piece)
        self.piece = piece


def settle(
    connection: duckdb.DuckDBPyConnection,
    pieces: Sequence[Piece],
    columns: Sequence[Column],
    guesses: Mapping[str, Cast],
) -> dict[str, Settled]:
    """The type of each column: the first of its casts that loses the fewest values.

    A guess is verified on all rows; only columns where it fails are counted
    again for every type they may have.

    Raises:
        MalformedError: a fast piece cannot be read as it stands.
    """
    counted = _count(connection, pieces, [Column(c.name, c.origin, (guesses[c.name],)) for c in columns])
    doubtful = [c for c in columns if len(c.casts) > 1 and counted[c.name].total(0)]
    recounted = _count(connection, pieces, doubtful) if doubtful else {}
    found = {}
    for column in columns:
        name = column.name
        cast = guesses[name]
        misfits = counted[name].of(0)
        if name in recounted:
            best = recounted[name].best(len(column.casts))
            cast, misfits = column.casts[best], recounted[name].of(best)
        if column.origin == "inferred" and not counted[name].filled:
            cast, misfits = column.casts[-1], {}
        found[name] = Settled(cast, column.origin, misfits)
    return found


@dataclass(frozen=True, slots=True)
class Guess:
    """The likely types of columns.

    Attributes:
        casts: by column.
        blank: columns of unknown type of which the sample held no value.
    """

    casts: dict[str, Cast]
    blank: frozenset[str] = frozenset()


def guess(connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece], columns: Sequence[Column]) -> Guess:
    """The likely type of each column, from a sample of the first piece.

    Raises:
        MalformedError: the piece cannot be read as it stands.
    """
    guesses = {column.name: column.casts[0] for column in columns}
    unsure = [c for c in columns if c.origin == "inferred" and len(c.casts) > 1]
    if not unsure:
        return Guess(guesses)
    counts = _count(connection, pieces[:1], unsure, limit=_SAMPLE)
    for column in unsure:
        if counts[column.name].filled:
            guesses[column.name] = column.casts[counts[column.name].best(len(column.casts))]
    return Guess(guesses, frozenset(column.name for column in unsure if not counts[column.name].filled))


class _Counts:
    """Values that do not fit, of one column: by piece and by cast."""

    def __init__(self) -> None:
        self.filled = 0
        self._misfits: dict[int, list[int]] = {}

    def add(self, piece: int, filled: int, misfits: list[int]) -> None:
        self.filled += filled
        self._misfits[piece] = misfits

    def of(self, cast: int) -> dict[int, int]:
        return {piece: counts[cast] for piece, counts in self._misfits.items() if counts[cast]}

    def total(self, cast: int) -> int:
        return sum(counts[cast] for counts in self._misfits.values())

    def best(self, casts: int) -> int:
        return min(range(casts), key=self.total)


def _count(
    connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece], columns: Sequence[Column], limit: int | None = None
) -> dict[str, _Counts]:
    found = {column.name: _Counts() for column in columns}
    for number, piece in enumerate(pieces):
        held = [c for c in columns if c.name in piece.columns]
        row = iter(_row(connection, number, piece, held, limit))
        for column in held:
            found[column.name].add(number, next(row), [next(row) for _ in column.casts])
    return found


def _row(
    connection: duckdb.DuckDBPyConnection, number: int, piece: Piece, columns: Sequence[Column], limit: int | None
) -> Sequence[int]:
    """Per column: values that are not NULL, then misfits by cast. Every column is touched, so every byte is read."""
    import duckdb

    try:
        if limit and len(columns) > _SAMPLED:
            return _by_casts(connection, piece, columns, min(limit, _SAMPLE_VALUES // len(columns)))
        relation = f"(select * from {piece.relation} limit {limit})" if limit else piece.relation
        if len(columns) <= _AT_ONCE:
            touched = [f"count({quote(name)})" for name in piece.columns]
            return _ask(connection, [*_parts(piece, columns), *touched], relation)
        return _by_groups(connection, piece, columns, relation)
    except (duckdb.Error, UnicodeDecodeError) as error:  # an excerpt in its message may be cut within a character
        if piece.careful:
            raise
        raise MalformedError(number) from error


def _by_groups(
    connection: duckdb.DuckDBPyConnection, piece: Piece, columns: Sequence[Column], relation: str
) -> list[int]:
    """The same of a wide table: DuckDB plans a query in a time that grows with the square of its length."""
    found: list[int] = []
    for start in range(0, len(columns), _AT_ONCE):
        found += _ask(connection, _parts(piece, columns[start : start + _AT_ONCE]), relation)
    return found


def _by_casts(connection: duckdb.DuckDBPyConnection, piece: Piece, columns: Sequence[Column], rows: int) -> list[int]:
    """The same of a sample of a wide table: its columns stand below each other, for one query."""
    same: dict[tuple[Cast, ...], list[Column]] = {}
    for column in columns:
        same.setdefault(column.casts, []).append(column)
    counts: dict[str, Sequence[int]] = {}
    for casts, members in same.items():
        names = ", ".join(quote(column.name) for column in members)
        long = (
            f"select unnest(range({len(members)})) as n, unnest([{names}]) as x "
            f"from (select {names} from {piece.relation} limit {rows})"
        )
        parts = ", ".join(_parts(piece, [Column("x", "inferred", casts)]))
        found = connection.execute(f"select n, {parts} from ({long}) group by n").fetchall()
        counts |= {members[n].name: row for n, *row in found}
    return [count for c in columns for count in counts.get(c.name, (0,) * (len(c.casts) + 1))]


def _ask(connection: duckdb.DuckDBPyConnection, parts: Sequence[str], relation: str) -> Sequence[int]:
    return connection.execute(f"select {', '.join(parts)} from {relation}").fetchone() or ()


def _parts(piece: Piece, columns: Sequence[Column]) -> list[str]:
    parts = []
    for column in columns:
        parts.append(f"count({quote(column.name)})")
        for cast in column.casts:
            text = piece.json(column.name) if cast.json else piece.text(column.name)
            parts.append(f"count(*) filter (where not {cast.fits(text)})" if cast.check != "true" else "0::bigint")
    return parts

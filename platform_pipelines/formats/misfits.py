"""Finds the records whose values do not fit their types, and says why.

What is done with them is left to the engine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.duck import literal, quote
from platform_pipelines.formats.rejects import shown
from platform_pipelines.formats.spool import FILE, LINE
from platform_pipelines.model import Rejected
from platform_pipelines.sql.dialect import DUCKDB
from platform_pipelines.sql.predicates import window_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from platform_pipelines.formats.casts import Cast
    from platform_pipelines.formats.pieces import Piece
    from platform_pipelines.formats.settle import Settled
    from platform_pipelines.model import Window
    from platform_pipelines.sql.dialect import Family

_AT_ONCE = 1_000
#: types of cursors that text may be, with the condition that it is
_OTHERS = {
    "BIGINT": "regexp_full_match(t, '-?[0-9]+')",
    "DOUBLE": "try_cast(t as double) is not null",
    "DATE": "length(t) = 10 and try_cast(t as date) is not null",
    "TIMESTAMP": "try_cast(t as timestamp) is not null",
    "TIMESTAMP WITH TIME ZONE": "try_cast(t as timestamptz) is not null",
}
_ORIGINS = {"declared": "as declared", "landed": "as landed before", "inferred": "as inferred"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What places a record in a window: the condition, and the fields that it compares."""

    where: str
    fields: tuple[str, ...]

    @classmethod
    def of(cls, window: Window, columns: Mapping[str, Family]) -> Bounds:
        """The bounds of a window over columns of these families."""
        part = window.partition.field if window.partition else None
        fields = dict.fromkeys(name for name in (window.field, part) if name is not None)
        return cls(window_sql(window, columns, DUCKDB) or "true", tuple(fields))


def misfits(
    connection: duckdb.DuckDBPyConnection, piece: Piece, number: int, settled: Mapping[str, Settled], bounds: Bounds
) -> Iterator[Rejected]:
    """The records of a careful piece that do not fit, as far as they belong to the window.

    Args:
        connection: where the piece can be read.
        piece: a careful piece.
        number: its number, by which ``settled`` knows it.
        settled: the type of each column.
        bounds: what is read.
    """
    wrong = {n: s for n, s in settled.items() if number in s.misfits and n in piece.columns}
    cursor = connection.execute(
        f"select _pipelines_record, _pipelines_reason from ({_described(piece, wrong, settled, bounds.fields)}) "
        f"where _pipelines_unplaced or coalesce({bounds.where}, false)"
    )
    while rows := cursor.fetchmany(_AT_ONCE):
        for record, reason in rows:
            yield Rejected(record, reason)


def _described(
    piece: Piece, wrong: Mapping[str, Settled], settled: Mapping[str, Settled], fields: Sequence[str]
) -> str:
    """The misfits with their reason, and the values by which they are placed in a window."""
    pairs = ", ".join(
        f"{literal(json.dumps(n) + ': ')} || coalesce({_as_json(piece, n)}, 'null')" for n in piece.columns
    )
    reasons = ", ".join(_reason(piece, name, s) for name, s in wrong.items())
    fits = {name: s.cast.fits(_text(piece, name, s.cast)) for name, s in wrong.items()}
    unplaced = " or ".join(f"not {fits[f]}" for f in fields if f in fits) or "false"
    placed = "".join(
        f", {s.cast.typed(_text(piece, f, s.cast)) if f in piece.columns else f'null::{s.cast.type}'} as {quote(f)}"
        for f in fields
        for s in [settled[f]]
    )
    return (
        f"select '{{' || concat_ws(', ', {pairs}) || '}}' as _pipelines_record, "
        f"{FILE} || ' line ' || {LINE} || ', ' || "
        f"concat_ws('; ', {reasons}) || '.' as _pipelines_reason, {unplaced} as _pipelines_unplaced{placed} "
        f"from {piece.relation} where not ({' and '.join(fits.values())})"
    )


def first_misfit(connection: duckdb.DuckDBPyConnection, piece: Piece, name: str, cast: Cast) -> str:
    """A value that does not fit."""
    text = _text(piece, name, cast)
    row = connection.execute(
        f"select left({text}, 200) from {piece.relation} where not {cast.fits(text)} limit 1"
    ).fetchone()
    return str(row[0]) if row else ""


def other_type(connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece], name: str, cast: Cast) -> str | None:
    """The type that all values of a column have where none has the one it should have; None where some have."""
    having = [piece for piece in pieces if name in piece.columns]
    texts = [f"select {_text(piece, name, cast)} as t from {piece.relation}" for piece in having]
    readable = ", ".join(f"bool_and({condition})" for condition in _OTHERS.values())
    query = f"select bool_or({cast.fits('t')}), {readable} from ({' union all '.join(texts)}) where t is not null"
    fits, *others = (texts and connection.execute(query).fetchone()) or (None,)
    found = dict(zip(_OTHERS, others, strict=True)) if fits is False else {}
    return next((kind for kind, all_are in found.items() if all_are), None)


def _text(piece: Piece, name: str, cast: Cast) -> str:
    return piece.json(name) if cast.json else piece.text(name)


def _as_json(piece: Piece, name: str) -> str:
    return piece.json(name) if piece.kinds else f"to_json({piece.text(name)})::varchar"


def _reason(piece: Piece, name: str, settled: Settled) -> str:
    cast = settled.cast
    text = _text(piece, name, cast)
    column = literal(f"column {name!r}: ")
    says = literal(f" is not a value of {cast.type} ({_ORIGINS[settled.origin]})")
    return f"case when not {cast.fits(text)} then {column} || {shown(text)} || {says} end"

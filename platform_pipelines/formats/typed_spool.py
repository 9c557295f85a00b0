"""Writes text as typed Parquet in one pass, checking every value on its way.

Right where a guess from a sample holds for all rows, which is nearly always; a
single value that does not fit stops it, and then ``settle`` finds out which.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from platform_pipelines.duck import literal, quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import duckdb

    from platform_pipelines.formats.casts import Cast
    from platform_pipelines.formats.pieces import Piece

# Parquet gives every other type back as something else: HUGEINT as DOUBLE, UUID and INTERVAL as bytes
_KEPT = re.compile(
    r"BOOLEAN|U?(TINY|SMALL|BIG)INT|U?INTEGER|DECIMAL\(\d+,\d+\)|DOUBLE|FLOAT|DATE|"
    r"TIMESTAMP(_NS| WITH TIME ZONE)?|VARCHAR|JSON|BLOB"
)
_MISFIT = "a value does not fit its type"


def can_spool(types: Sequence[str]) -> bool:
    """Whether Parquet keeps values of these SQL types as they are."""
    return all(_KEPT.fullmatch(name) for name in types)


def spool_typed(
    connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece], guessed: Mapping[str, Cast], folder: Path
) -> list[Path] | None:
    """Write each piece's rows, in the columns of all pieces, to a Parquet file in ``folder``.

    Returns:
        The files in the order of the pieces; None if a value does not fit, or a
        piece cannot be read as it stands. The connection may be unusable then.
    """
    import duckdb

    files = []
    for number, piece in enumerate(pieces):
        files.append(folder / f"{number:06d}.parquet")
        columns = checked(piece, guessed)
        try:
            connection.execute(
                f"copy (select {columns} from {piece.relation}) to {literal(str(files[-1]))} "
                "(format parquet, compression lz4_raw)"
            )
        except (duckdb.InvalidInputException, UnicodeDecodeError):  # the CSV reader's, and error()'s
            return None
    return files


def filled(connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]) -> set[str]:
    """The columns that hold a value."""
    counts = ", ".join(f"count({quote(name)})" for name in columns)
    if not columns:
        return set()
    found = connection.execute(f"select {counts} from {relation}").fetchall()[0]
    return {name for name, count in zip(columns, found, strict=True) if count}


def checked(piece: Piece, guessed: Mapping[str, Cast]) -> str:
    """SQL of a piece's columns in the guessed types; it stops the query at a value that does not fit."""
    return ", ".join(f"{_checked(piece, name, cast)} as {quote(name)}" for name, cast in guessed.items())


def _checked(piece: Piece, name: str, cast: Cast) -> str:
    if name not in piece.columns:
        return cast.null()
    return cast.exact(piece.json(name) if cast.json else piece.text(name), f"error({literal(_MISFIT)})")

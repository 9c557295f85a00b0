"""Rows that lie in Parquet files as a ``FROM`` item of DuckDB, with the place of each row where it is wanted.

Rows come in the order of the files. So those that do not count are looked up in
a constant, a bit for each row: after a join DuckDB keeps no order.

DuckDB tells a row's place by two virtual columns, ``file_index`` and
``file_row_number``, which a column of the same name hides. Rows with such a column
are counted instead, which keeps one core busy.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from platform_pipelines.duck import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from platform_pipelines.rowfiles import RowFiles

#: columns of :func:`placed`: which of the files, and the row in it; both are counted from 0
FILE, ROW = "_pipelines_file_number", "_pipelines_row_number"
_DIGITS = bytes.maketrans(b"\0\1", b"01")
_HIDING = frozenset({"file_index", "file_row_number"})


def is_plain(names: Iterable[str]) -> bool:
    """Whether no column hides a virtual one; DuckDB knows no capitals in names."""
    return not any(name.lower() in _HIDING for name in names)


def selected(rows: RowFiles) -> str:
    """The rows, under the columns of the first file, which all have."""
    if not rows.left_out:
        return rows_in(rows.paths)
    return f"(select * exclude ({FILE}, {ROW}) from {placed(rows)})"


def placed(rows: RowFiles) -> str:
    """The rows under the columns of all files by name, and behind them :data:`FILE` and :data:`ROW`."""
    if rows.plain:
        files = f"select *, file_index as {FILE}, file_row_number as {ROW} from {rows_in(rows.paths, by_name=True)}"
    else:
        files = " union all by name ".join(
            f"select *, {number} as {FILE}, row_number() over () - 1 as {ROW} from {rows_in([path])}"
            for number, path in enumerate(rows.paths)
        )
    return f"(from ({files}) where {_counts(rows)})" if rows.left_out else f"({files})"


def _counts(rows: RowFiles) -> str:
    """The condition that a row is not left out."""
    cases = " ".join(
        f"when {number} then get_bit(from_base64('{_bits(mask)}')::bit, {ROW}::integer)"
        for number, mask in rows.masks().items()
    )
    return f"case {FILE} {cases} else 0 end = 0"


def _bits(mask: bytearray) -> str:
    """A bit for each byte, the first one the highest, in base64."""
    digits = mask.translate(_DIGITS).decode().ljust(-(-len(mask) // 8) * 8, "0")
    return base64.b64encode(int(digits, 2).to_bytes(len(digits) // 8)).decode()


def rows_in(paths: Sequence[Path], *, by_name: bool = False, folders: bool = False) -> str:
    """All rows of Parquet files.

    Args:
        paths: the files.
        by_name: under the columns of all files; else under those of the first one.
        folders: whether a folder ``id=5`` means that 5 is every row's id, whatever the file says.
    """
    listed = ", ".join(literal(str(path)) for path in paths)
    united = ", union_by_name=true" if by_name else ""
    return f"read_parquet([{listed}]{united}, hive_partitioning={str(folders).lower()})"

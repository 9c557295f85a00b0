"""Columns that the names of folders hold, as in ``year=2026/country=at/part.parquet``.

The convention is Apache Hive's. Only folders below the connection's root count: where
the root lies says nothing about rows. A column that a file has itself is never replaced.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from platform_pipelines.duck import literal, quote
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.rowsql import FILE, ROW, is_plain, placed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

_NULL = "__HIVE_DEFAULT_PARTITION__"
_WHOLE = re.compile(r"-?[0-9]{1,18}")


def folder_columns(labels: Sequence[str], present: Collection[str]) -> dict[str, list[str | None]]:
    """The columns that folders name and the files lack, with a value for each file.

    Args:
        labels: the files' paths below the root.
        present: columns of the files; capitals make no difference.
    """
    known = {name.lower() for name in present}
    found: dict[str, list[str | None]] = {}
    for number, label in enumerate(labels):
        for part in PurePosixPath(label).parts[:-1]:
            name, equals, value = part.partition("=")
            if equals and name and name.lower() not in known:
                values = found.setdefault(unquote(name), [None] * len(labels))
                values[number] = None if value == _NULL else unquote(value)
    return found


def with_folder_columns(paths: Sequence[Path], present: Collection[str], added: dict[str, list[str | None]]) -> str:
    """The files' rows as a ``FROM`` item, in their order, with these columns behind those of the files."""
    rows = placed(RowFiles(tuple(paths), plain=is_plain(present)))
    columns = "".join(f", {_value(values)} as {quote(name)}" for name, values in added.items())
    return f"(select * exclude ({FILE}, {ROW}){columns} from {rows})"


def _value(values: Sequence[str | None]) -> str:
    """Of a row's file: whole numbers and dates as such where all values are, else text."""
    texts = [value for value in values if value is not None]
    if texts and all(_WHOLE.fullmatch(text) for text in texts):
        kind = "bigint"
    else:
        kind = "date" if texts and all(_is_date(text) for text in texts) else "varchar"
    listed = ", ".join("null" if value is None else literal(value) for value in values)
    return f"([{listed}]::{kind}[])[{FILE}::bigint + 1]"


def _is_date(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False

"""The key by which a load finds rows, against the table that it meets.

Alike for databases, table folders and tables in memory; when to ask is left to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterable

    from platform_pipelines.model import Load

_RESERVED = "_pipelines_"


def need_key(columns: Iterable[str], load: Load) -> None:
    """Refuse a load by a key that the rows which are there do not have.

    A new epoch of a merge replaces what its feed had loaded, so it may bring a
    column of its key along.

    Args:
        columns: of the table.
        load: what is to be loaded.

    Raises:
        InvalidData: the table has rows, perhaps, and lacks a column of the key.
    """
    have = list(columns)
    missing = [name for name in load.key if name not in have]
    anew = load.mode == "merge" and load.previous is not None
    if not missing or (anew and load.fresh):
        return
    steps = ["choose a key among them", "add the column to the table"]
    if anew:
        steps = [
            "choose a key among them",
            "load everything anew by `pipelines run NAME --full-refresh`, which adds it",
        ]
    msg = (
        f"Table {load.table} has no column {missing[0]!r}, which is part of the key of this destination: the rows that "
        f"are there cannot be found by it. Its columns: {', '.join(n for n in have if not n.startswith(_RESERVED))}. "
        f"Either {steps[0]}, or {steps[1]}."
    )
    raise InvalidData(msg)


def repeated(table: str, load: Load) -> InvalidData:
    """The refusal of a merge that meets several rows of one key."""
    return InvalidData(
        f"Table {table} holds several rows with one key ({', '.join(load.key)}), so a merge is ambiguous. "
        "Remove the duplicates, choose another key, or, if the key is another than before, load everything anew by "
        "`pipelines run NAME --full-refresh`."
    )

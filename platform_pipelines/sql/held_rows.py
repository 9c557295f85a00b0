"""Reading back what a table was loaded with, as options of a read of that table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import literal, quote
from platform_pipelines.sql.tables import FEED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from platform_pipelines.model import Feed


def options(have: Iterable[str], columns: Sequence[str], but: Feed | None) -> dict[str, Any] | None:
    """The options of a stream that reads ``columns`` of a table, without the rows that a feed brought.

    Args:
        have: the table's columns, bookkeeping included.
        columns: the columns wanted; those that it lacks are left out.
        but: the feed whose rows are left out; None for none.

    Returns:
        None where it has none of the columns, so that there is nothing to read.
    """
    present = set(have)
    wanted = [name for name in columns if name in present]
    if not wanted:
        return None
    found: dict[str, Any] = {"columns": wanted}
    if but is not None and FEED in present:
        found["where"] = f"{quote(FEED)} is distinct from {literal(but.id)}"
    return found

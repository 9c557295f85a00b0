"""A table in plain text: columns as wide as they need, numbers to the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def text_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows under a head, in columns parted by two spaces; ``none`` where there are no rows.

    Integers get thousands separators; None is shown as ``-``.
    """
    if not rows:
        return "  none"
    numeric = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(head))]
    cells = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    lines = []
    for line in cells:
        padded = [
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(line, widths, numeric, strict=True)
        ]
        lines.append("  " + "  ".join(padded).rstrip())
    return "\n".join(lines)


def _cell(value: Any) -> str:  # noqa: ANN401 - any value of a database
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)

"""Tables for people: rich on a terminal, plain aligned columns everywhere else."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

from platform_pipelines.cli.output import is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

_PLAIN_WIDTH = 100_000
#: characters of a cell at most; `--json` shows all
_CELL = 120


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> str:
    """Rows under headers; numbers to the right, None as an empty cell."""
    from rich import box
    from rich.table import Table

    listed = [[cell(value) for value in row] for row in rows]
    numeric = [_all_numbers(listed, index) for index in range(len(headers))]
    plain = sys.stdout is None or not sys.stdout.isatty()
    grid = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None if plain else box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 2, 0, 0) if plain else (0, 1),
    )
    for header, right in zip(headers, numeric, strict=True):
        grid.add_column(header, justify="right" if right else "left", overflow="fold")
    for row in listed:
        grid.add_row(*row)
    return _render(grid, plain=plain)


def cell(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """A value on one line: counts with thousands separators, nested values as JSON, long texts cut."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else repr(value)  # noqa: PLR2004
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _all_numbers(rows: list[list[str]], index: int) -> bool:
    values = [row[index] for row in rows if row[index]]
    return bool(values) and all(value.replace(",", "").replace(".", "", 1).lstrip("-").isdigit() for value in values)


def _render(grid: Table, *, plain: bool) -> str:
    from rich.console import Console

    colour = is_terminal(sys.stdout)
    console = Console(
        file=io.StringIO(),
        force_terminal=colour,
        color_system="auto" if colour else None,
        width=_PLAIN_WIDTH if plain else None,
        markup=False,
        emoji=False,
        highlight=False,
    )
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())

"""Tables for people: rich on a terminal, plain aligned columns everywhere else."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

from platform_pipelines.cli.output import is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: characters of a cell at most; `--json` shows all
_CELL = 120
#: bell and backspace take no place in a line
_UNHEARD = dict.fromkeys(b"\a\b")


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> str:
    """Rows under headers; numbers to the right, None as an empty cell."""
    listed = [[cell(value) for value in row] for row in rows]
    numeric = [_all_numbers(listed, index) for index in range(len(headers))]
    if sys.stdout is None or not sys.stdout.isatty():
        lines = _aligned([[cell(header) for header in headers], *listed], numeric)
        return "\n".join(lines if title is None else [title, *lines])
    return _drawn(headers, listed, numeric, title)


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
    text = " ".join(text.translate(_UNHEARD).split())
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _all_numbers(rows: list[list[str]], index: int) -> bool:
    values = [row[index] for row in rows if row[index]]
    return bool(values) and all(value.replace(",", "").replace(".", "", 1).lstrip("-").isdigit() for value in values)


def _aligned(lines: Sequence[Sequence[str]], numeric: Sequence[bool]) -> list[str]:
    """Columns two blanks apart, for files and other programs; rich is not imported for them."""
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            f"{blank}{text}" if right else f"{text}{blank}"
            for text, right, width in zip(line, numeric, widths, strict=True)
            for blank in [" " * (width - _width(text))]
        ).rstrip()
        for line in lines
    ]


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii() and text.isprintable():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _drawn(headers: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool], title: str | None) -> str:
    """For a person at a terminal: as wide as that, in colour if it has any."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    grid = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1)
    )
    for header, right in zip(headers, numeric, strict=True):
        grid.add_column(header, justify="right" if right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*row)
    colour = is_terminal(sys.stdout)
    console = Console(
        file=io.StringIO(),
        force_terminal=colour,
        color_system="auto" if colour else None,
        markup=False,
        emoji=False,
        highlight=False,
    )
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())

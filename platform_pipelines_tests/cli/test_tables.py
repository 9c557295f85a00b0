"""Tables as programs and files get them; those of terminals are drawn by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines.cli import tables

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize(
    ("headers", "rows", "lines"),
    [
        (("A", "LONG"), [], ["A  LONG"]),
        ((), [], [""]),
        (("NAME", "ROWS"), [("a", 1), ("bcdef", 2000)], ["NAME    ROWS", "a          1", "bcdef  2,000"]),
        (("ROWS", "NAME"), [(12, "a"), (None, None), (3.5, None)], ["ROWS  NAME", "  12  a", "", " 3.5"]),
        (("NAME", "END"), [("漢字", "x"), ("é", "y"), ("🙂", "z")], ["NAME  END", "漢字  x", "é     y", "🙂    z"]),
        (("a\nb", "c"), [("x\a\by", "[bold]:smile:")], ["a b  c", "xy   [bold]:smile:"]),
        (("\x1b", "c"), [("\x00", "x")], ["\x1b  c", "\x00  x"]),
    ],
)
def test_columns_are_aligned(headers: Sequence[str], rows: Sequence[Sequence[object]], lines: list[str]) -> None:
    assert tables.table(headers, rows).split("\n") == lines


def test_a_title_is_as_long_as_it_is() -> None:
    assert tables.table(("A",), [(1,)], title="Would be loaded") == "Would be loaded\nA\n1"

"""The table of docs/reference/types.md, drawn from the golden table that the tests send through.

``python -m platform_pipelines_tests.docs.types_reference`` writes it; a test holds
the page equal to what this draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines_tests.docs.pages import ROOT
from platform_pipelines_tests.integration.golden import GOLDEN

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs/reference/types.md"
_BEGIN, _END = "<!-- drawn from the golden table -->\n", "<!-- end -->"


def draw() -> str:
    """The page with its table drawn anew."""
    text = PAGE.read_text()
    head, tail = text.partition(_BEGIN)[0], text.partition(_END)[2]
    return head + _BEGIN + "\n".join(_lines()) + "\n" + _END + tail


def _lines() -> Iterator[str]:
    yield ""
    yield "| PostgreSQL | DuckDB | Parquet (Arrow) | |"
    yield "|---|---|---|---|"
    for golden in GOLDEN:
        cells = [golden.ddl, golden.duck, golden.arrow]
        yield "| " + " | ".join(f"`{cell}`" for cell in cells) + f" | {golden.note} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(draw())

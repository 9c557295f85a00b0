from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.docs.pages import ROOT, pages

if TYPE_CHECKING:
    from pathlib import Path

_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


def _anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(page.read_text()):
        place = (page.parent / target).resolve() if target else page
        assert place.exists(), f"{page.name} links to {target}, which does not exist"
        assert not anchor or anchor in _anchors(place), f"{page.name} links to {target}#{anchor}: no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    found, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in found:
            continue
        found.add(page)
        targets = (page.parent / target for target, _ in _LINK.findall(page.read_text()) if target.endswith(".md"))
        todo.extend(target.resolve() for target in targets)
    assert set(pages()) - found <= {ROOT / "CHANGELOG.md"}

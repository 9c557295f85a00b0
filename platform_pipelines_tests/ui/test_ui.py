from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from platform_pipelines_tests.ui.browser import browser_page, chromium
from platform_pipelines_tests.ui.screenshot import open_graph
from platform_pipelines_tests.ui.server import webserver

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(chromium() is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")

PIPELINES = 6


def test_a_pipeline_is_launched_and_looked_at_in_the_browser(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    with webserver(tmp_path) as address, browser_page() as page:
        _graph_shows_every_pipeline(page, address, pictures)
        _launch_finishes(page, address, pictures)
        _checks_show(page, address, pictures)
        _metadata_shows(page, address, pictures)
    assert all(picture.stat().st_size > 10_000 for picture in pictures.iterdir())


def _graph_shows_every_pipeline(page: Page, address: str, pictures: Path) -> None:
    open_graph(page, address)
    for stage, number in (
        ("landing", PIPELINES),
        ("validated", PIPELINES),
        ("warehouse", PIPELINES),
        ("lake", PIPELINES - 1),
    ):
        assert page.locator("foreignObject").filter(has_text=re.compile(rf"\b{stage}\b")).count() >= number
    page.screenshot(path=pictures / "graph.png")


def _launch_finishes(page: Page, address: str, pictures: Path) -> None:
    selection = quote('key:"airlines/*"', safe="")
    page.goto(f"{address}/asset-groups~{selection}/")
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_role("link", name="View", exact=True).click()
    page.wait_for_url("**/runs/**")
    page.get_by_text("Success", exact=True).first.wait_for(timeout=120_000)
    page.screenshot(path=pictures / "run.png")


def _checks_show(page: Page, address: str, pictures: Path) -> None:
    page.goto(f"{address}/assets/airlines/validated?view=checks")
    for rule in ("complete", "carrier_unique", "carrier_format", "not_empty"):
        page.get_by_text(rule, exact=True).first.wait_for()
    page.get_by_text("Passed").first.wait_for()
    page.screenshot(path=pictures / "checks.png")


def _metadata_shows(page: Page, address: str, pictures: Path) -> None:
    page.goto(f"{address}/assets/airlines/warehouse?view=overview")
    page.get_by_text("Latest materialization").first.wait_for()
    page.get_by_text("rows_loaded", exact=True).first.wait_for()
    page.screenshot(path=pictures / "metadata.png")

"""``python -m platform_pipelines_tests.ui.screenshot``: draw docs/images/asset-graph.png anew."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from platform_pipelines_tests.demo.through_dagster import materialize_demo
from platform_pipelines_tests.ui.browser import browser_page, chromium, settled
from platform_pipelines_tests.ui.server import dagster_home, webserver

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURE = Path(__file__).resolve().parents[2] / "docs/images/asset-graph.png"


def main() -> None:
    """Take the picture."""
    if chromium() is None:
        sys.exit("No chromium on the PATH. On Debian: apt-get install chromium.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        materialize_demo(folder, dagster_home(folder))
        with webserver(folder) as address, browser_page(1800, 1000) as page:
            open_graph(page, address)
            page.screenshot(path=PICTURE)


def open_graph(page: Page, address: str) -> None:
    """Show the asset graph of the demo with all groups opened."""
    groups = ",".join(f"global@global:{domain}" for domain in ("reference", "travel", "analytics"))
    page.goto(f"{address}/asset-groups?expanded={quote(groups, safe='')}")
    settled(page)


if __name__ == "__main__":
    main()

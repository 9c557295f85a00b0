"""``python -m platform_pipelines_tests.ui.screenshot``: draw docs/images/asset-graph.png anew."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from platform_pipelines_tests.ui.browser import browser_page, chromium
from platform_pipelines_tests.ui.server import webserver

PICTURE = Path(__file__).resolve().parents[2] / "docs/images/asset-graph.png"


def main() -> None:
    """Take the picture."""
    if chromium() is None:
        sys.exit("No chromium on the PATH. On Debian: apt-get install chromium.")
    with tempfile.TemporaryDirectory() as folder, webserver(Path(folder)) as address, browser_page(1800, 1000) as page:
        page.goto(f"{address}/asset-groups")
        page.get_by_role("button", name="Materialize all").wait_for()
        page.wait_for_timeout(4_000)  # the layout is animated
        page.screenshot(path=PICTURE)


if __name__ == "__main__":
    main()

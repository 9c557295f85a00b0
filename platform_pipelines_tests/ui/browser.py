"""Headless Chromium, as the system has it."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page


def chromium() -> str | None:
    """Path of the browser; None if there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def settled(page: Page) -> None:
    """Wait until the asset graph has come to rest, and the welcome dialog, which comes late, is gone."""
    page.get_by_role("button", name="Materialize all").wait_for()
    page.wait_for_timeout(4_000)
    page.get_by_text("Overview").first.hover()  # an action, which makes Playwright close the dialog
    page.wait_for_timeout(500)


@contextlib.contextmanager
def browser_page(width: int = 1600, height: int = 1000) -> Iterator[Page]:
    """A page that closes Dagster's welcome dialog whenever it is in the way."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(60_000)
            page.add_locator_handler(page.get_by_role("button", name="Skip"), lambda button: button.click())
            yield page
        finally:
            browser.close()

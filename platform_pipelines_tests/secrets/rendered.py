"""Pages of Dagster's UI as a browser shows them, and what its web server sent to draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from platform_pipelines_tests.ui.browser import browser_page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Page, Response, WebSocket

_VALUES = "() => [...document.querySelectorAll('input, textarea')].map(each => each.value).join('\\n')"
#: an answer may come behind the one that brought what is waited for
_LATE_MILLISECONDS = 500


class View(NamedTuple):
    """What to look at.

    Attributes:
        path: of the page, on the web server.
        shows: texts that are there once the page is drawn; a page without them fails.
        clicks: texts of what is clicked first, the last of each.
        marked: whether the marker of the deployment is drawn in it.
    """

    path: str
    shows: tuple[str, ...]
    clicks: tuple[str, ...] = ()
    marked: bool = False


class Seen(NamedTuple):
    """What was there.

    Attributes:
        drawn: the page's elements with all their attributes, its text, and what is in its fields.
        sent: every answer to a query, and every message.
    """

    drawn: str
    sent: str


def look(address: str, views: Iterable[View]) -> dict[View, Seen]:
    """Open each view in a browser of its own, which is shared by all of them."""
    with browser_page() as page:
        answers, messages = _listen(page)
        return {view: _look(page, address, view, answers, messages) for view in views}


def _listen(page: Page) -> tuple[list[Response], list[str]]:
    answers: list[Response] = []
    messages: list[str] = []

    def opened(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: messages.append(str(frame)))

    page.on("response", lambda answer: answers.append(answer) if "/graphql" in answer.url else None)
    page.on("websocket", opened)
    return answers, messages


def _look(page: Page, address: str, view: View, answers: list[Response], messages: list[str]) -> Seen:
    page.goto("about:blank")  # what the view before asked for is gone
    answers.clear()
    messages.clear()
    page.goto(f"{address}{view.path}")
    for text in view.clicks:
        page.get_by_text(text, exact=True).last.click()
    for text in view.shows:
        page.get_by_text(text).locator("visible=true").first.wait_for()
    page.wait_for_timeout(_LATE_MILLISECONDS)
    drawn = (page.content(), page.locator("body").inner_text(), page.evaluate(_VALUES))
    return Seen("\n".join(drawn), "\n".join([*(answer.text() for answer in answers), *messages]))

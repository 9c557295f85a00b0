"""Fetches the pages of one sequence and makes sure that they are pages: JSON, no error, none seen before.

Requests are left to ``rest_request``, what comes next to ``rest_pagers``, values
to ``formats``.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors import rest_auto
from platform_pipelines.connectors.rest_ahead import in_order
from platform_pipelines.connectors.rest_clock import began
from platform_pipelines.connectors.rest_early import Early
from platform_pipelines.connectors.rest_pagers import Answered, LinkPager, TokenPager, pager_of
from platform_pipelines.connectors.rest_paging_models import AutoPages, CursorTokens, NextLinks, Offsets, PageNumbers
from platform_pipelines.connectors.rest_records import Exploded, Records
from platform_pipelines.connectors.rest_request import build
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.json_cut import cuts
from platform_pipelines.formats.json_page import JsonPage, PageReader, Survey
from platform_pipelines.http.exchange import Response, not_json
from platform_pipelines.http.masking import excerpt
from platform_pipelines.http.retry import PassingFault

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from platform_pipelines.connectors.rest_models import RestStream
    from platform_pipelines.connectors.rest_pagers import Pager, Turn
    from platform_pipelines.connectors.rest_paging_models import Pagination
    from platform_pipelines.http.client import Client
    from platform_pipelines.model import Window

_NOT_FOUND = 404
_NOTHING = frozenset({204, _NOT_FOUND})
#: what came, and the page in it
Answer = tuple[Response, JsonPage]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page: its records, the request for messages, and when the sequence began where that caps the read."""

    page: JsonPage
    shown: str
    began: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask for what.

    Attributes:
        name: the stream's name.
        spec: its declaration.
        client: sends the requests.
        window: what is read.
        eager: whether the next page may be asked for before somebody wants it.
        exploded: what is found out about the field to explode.
    """

    name: str
    spec: RestStream
    client: Client
    window: Window
    eager: bool = False
    exploded: Exploded = field(default_factory=Exploded)


class Sequence:
    """The pages of one stream, or of one parent's record.

    Args:
        asking: whom to ask for what.
        parent: values of the parent's fields.
        concurrency: requests at once, where all pages are known after the first.
    """

    def __init__(self, asking: Asking, parent: Mapping[str, str] | None = None, concurrency: int = 1) -> None:
        self._name, self._spec, self._client, self._window = asking.name, asking.spec, asking.client, asking.window
        spec = asking.spec
        self._caps = spec.cursor.capped and asking.window.field is not None
        self._parent = parent or {}
        self._concurrency = concurrency
        self._eager = asking.eager
        self._early = Early(self._send_and_look)
        self._pagination: Pagination = spec.pagination
        self._records = Records(spec, asking.exploded)
        self._reader: PageReader | None = None
        self._tokens: set[str] = set()
        self._contents: dict[bytes, int] = {}

    def pages(self) -> Iterator[Fetched]:
        """All pages, in order.

        Raises:
            InvalidData: an answer is no page, or one that was there before.
            ConnectError: see ``Client.send``.
        """
        try:
            yield from self._pages()
        finally:
            self._early.close()

    def _pages(self) -> Iterator[Fetched]:
        pager = None if isinstance(self._pagination, AutoPages) else pager_of(self._pagination, self._spec.method)
        turn = pager.first() if pager else pager_of(AutoPages()).first()
        self._check_turn(turn)
        asked = time.monotonic()
        answer = self._ask(turn, pager)
        waited = time.monotonic() - asked
        planned: Iterator[tuple[Turn, Answer | None]] = iter(())
        first = True
        while answer is not None:
            response, page = answer
            self._check_content(page, turn, response)
            if pager is None:
                auto = AutoPages(max_pages=self._most, repeated=self._pagination.repeated)
                self._pagination = rest_auto.pagination(auto, page.envelope, page.count, response)
                pager = pager_of(self._pagination, self._spec.method)
            yield Fetched(page, response.shown_url, began(response, waited) if first and self._caps else None)
            if first and self._concurrency > 1:
                planned = self._ahead(pager, turn, answer)
            first = False
            following = pager.following(turn, Answered(response, page.envelope, page.count))
            if following is None:
                return
            self._check_turn(following)
            ahead = next(planned, None)
            if ahead is not None and ahead[0].token == following.token:
                turn, answer = following, ahead[1]
            else:  # the pages are not where the first one said; what was asked ahead is dropped
                planned = iter(())
                turn, answer = following, self._ask(following, pager)

    def _ahead(self, pager: Pager, turn: Turn, answer: Answer) -> Iterator[tuple[Turn, Answer | None]]:
        rest = pager.rest(turn, Answered(answer[0], answer[1].envelope, answer[1].count)) or []
        return in_order(lambda each: (each, self._found(self._send(each))), rest[: self._most], self._concurrency)

    @property
    def _most(self) -> int:
        return self._pagination.max_pages

    def _ask(self, turn: Turn, pager: Pager | None) -> Answer | None:
        """One page; None where there is nothing, and that is no error."""
        response, survey = self._early.take(turn)
        if self._eager and pager is not None and (foretold := self._foretold(pager, turn, response)) is not None:
            self._early.ask(foretold)
        return self._found(response, survey)

    def _found(self, response: Response, survey: Survey | None = None) -> Answer | None:
        return None if response.status in _NOTHING else (response, self._read(response, survey))

    def _send_and_look(self, turn: Turn) -> tuple[Response, Survey | None]:
        """An answer, and its survey where its reader is known: the page before it is being read meanwhile."""
        response = self._send(turn)
        if self._reader is None or response.status in _NOTHING:
            return response, None
        return response, self._reader.survey(response.content)

    def _send(self, turn: Turn) -> Response:
        request = build(self._spec, turn, self._window, self._parent)
        allow = {_NOT_FOUND} if self._spec.not_found == "empty" else set()
        check = self._check_passing if self._spec.error and self._spec.error.retry else None
        return self._client.send(request, allow=allow, check=check)

    def _foretold(self, pager: Pager, turn: Turn, response: Response) -> Turn | None:
        """The page after this one, as far as what stands around the records tells."""
        path = self._reader.path if self._reader is not None else None
        if path is None or not isinstance(pager, TokenPager | LinkPager) or response.status in _NOTHING:
            return None
        envelope = next((envelope for envelope, _ in cuts(response.content, path)), None)
        try:
            following = pager.following(turn, Answered(response, envelope, 1)) if envelope is not None else None
        except InvalidData:  # told again where the page is read
            return None
        known = following is None or following.number > self._most or _digest(following) in self._tokens
        return None if known else following

    def _read(self, response: Response, survey: Survey | None) -> JsonPage:
        if self._reader is None:
            self._reader = self._make_reader(response)
        try:
            page = self._reader.read(response.content, survey)
        except ValueError as error:
            raise InvalidData(not_json(response, str(error))) from None
        except LookupError as error:
            raise InvalidData(self._no_records(response, str(error))) from None
        self._records.check_error(page.envelope, page.count, response)
        return page

    def _make_reader(self, response: Response) -> PageReader:
        records = self._records
        if records.path is None:
            document = response.json()
            records.check_error(document, 0, response)
            records.path = rest_auto.records_path(document, response.shown_url)
        whole = records.path.keys is None or self._spec.explode or any(p.starts_in(records.path) for p in self._paths())
        path = None if whole else records.path.keys
        return PageReader(self._spec.nested, path, records.find, records.exploded if self._spec.explode else None)

    def _paths(self) -> list[Any]:
        """Paths that paging needs; one that leads into the records needs them decoded."""
        pagination, error = self._pagination, self._spec.error
        found = [error.path] if error else []
        if isinstance(pagination, CursorTokens):
            found += [path for path in (pagination.path, pagination.has_more) if path is not None]
        elif isinstance(pagination, NextLinks):
            found.append(pagination.path)
        elif isinstance(pagination, PageNumbers | Offsets) and pagination.total is not None:
            found.append(pagination.total)
        return found

    def _no_records(self, response: Response, problem: str) -> str:
        self._records.check_error(response.json(), 0, response)
        return (
            f"{response.shown_url}: {problem}. It begins: {excerpt(response.content)}. Mend `records` of stream "
            f"{self._name!r}, say how errors look (`error: {{path: …}}`), or allow it (`empty_when_missing: true`)."
        )

    def _check_passing(self, response: Response) -> None:
        error = self._spec.error
        if error is not None and error.path.find(response.json()) in error.retry:
            msg = f"{response.shown_url} answered with the error {error.path.find(response.json())!r}"
            raise PassingFault(msg)

    def _check_turn(self, turn: Turn) -> None:
        if turn.number > self._most:
            msg = (
                f"Stream {self._name!r} has more than {self._pagination.max_pages} pages (`pagination.max_pages`). "
                "Nothing of it was taken. Allow more, or see whether its pages go in a circle."
            )
            raise InvalidData(msg)
        token = _digest(turn)
        if token in self._tokens:
            msg = (
                f"Stream {self._name!r}: page {turn.number - 1} leads to a page that was there before (the same "
                "token). The API goes in a circle; see whether `pagination` is right."
            )
            raise InvalidData(msg)
        self._tokens.add(token)

    def _check_content(self, page: JsonPage, turn: Turn, response: Response) -> None:
        """Refuse a page whose records were there before; pages without a value tell nothing."""
        if self._pagination.repeated == "allow" or not page.batch.num_rows:
            return
        if all(column.null_count == len(column) for column in page.batch.columns):
            return
        named = repr([(field.name, str(field.type)) for field in page.batch.schema]).encode()
        digest = hashlib.blake2b(page.batch.serialize(), key=hashlib.blake2b(named).digest(), digest_size=16).digest()
        before = self._contents.setdefault(digest, turn.number)
        if before != turn.number:
            msg = (
                f"{response.shown_url}: page {turn.number} of stream {self._name!r} holds the same records as page "
                f"{before}. See whether `pagination` is right; where an API may repeat itself, declare "
                "`pagination.repeated: allow`."
            )
            raise InvalidData(msg)


def _digest(turn: Turn) -> str:
    return hashlib.blake2b(turn.token.encode(), digest_size=16).hexdigest()

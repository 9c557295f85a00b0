"""Where the next page is, by each kind of paging.

A pager knows one page from the next; fetching, and noticing that pages go in a
circle, is left to ``rest_fetch``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from platform_pipelines.connectors.rest_paging_models import (
    Asked,
    CursorTokens,
    LinkHeaders,
    NextLinks,
    Offsets,
    PageNumbers,
)
from platform_pipelines.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_pipelines.connectors.rest_paging_models import Pagination
    from platform_pipelines.http.exchange import Params, Response


@dataclass(frozen=True, slots=True)
class Turn:
    """What a page's request has beyond the stream's.

    Attributes:
        params: parameters of the query.
        url: the whole URL, where the server named one.
        body: values by their path in the body.
        number: of the page, counted from 1.
    """

    params: Params = ()
    url: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    number: int = 1

    @property
    def token(self) -> str:
        """The same for two requests that ask for the same."""
        return repr((self.params, self.url, sorted(self.body.items())))


@dataclass(frozen=True, slots=True)
class Answered:
    """A page as pagers see it.

    Attributes:
        response: the answer.
        document: its JSON; the records may be missing in it.
        count: elements of the array of records.
    """

    response: Response
    document: Any
    count: int


class Pager(Protocol):
    """One kind of paging, for one sequence of pages."""

    def first(self) -> Turn:
        """The first page."""

    def following(self, turn: Turn, page: Answered) -> Turn | None:
        """The page after this one; None at the end.

        Raises:
            InvalidData: the answer does not say what it must.
        """

    def rest(self, turn: Turn, page: Answered) -> list[Turn] | None:
        """All pages after the first, where the answer to it tells them."""


class _OneByOne:
    def rest(self, turn: Turn, page: Answered) -> list[Turn] | None:  # noqa: ARG002 - nothing is known
        return None


class SinglePage(_OneByOne):
    """No further page."""

    def first(self) -> Turn:
        """The only page."""
        return Turn()

    def following(self, turn: Turn, page: Answered) -> Turn | None:  # noqa: ARG002 - there is none
        """None."""
        return None


class NumberPager:
    """Pages by number."""

    def __init__(self, spec: PageNumbers) -> None:
        self._spec = spec
        self._size: int | None = None
        self._short: int | None = None
        self._empty = 0

    def first(self) -> Turn:
        """The page of number ``start``."""
        return self._turn(1)

    def following(self, turn: Turn, page: Answered) -> Turn | None:
        """The next number, until the end."""
        self._check_size(turn, page)
        last = self._last(page)
        if last is not None:
            return self._turn(turn.number + 1) if turn.number < last else None
        self._empty = 0 if page.count else self._empty + 1
        return self._turn(turn.number + 1) if self._empty < self._spec.empty_pages else None

    def rest(self, turn: Turn, page: Answered) -> list[Turn] | None:
        """Numbers up to the last, where the answer names it; a changed page size is noticed by ``following``."""
        last = self._last(page)
        return None if last is None else [self._turn(number) for number in range(turn.number + 1, last + 1)]

    def _last(self, page: Answered) -> int | None:
        if self._spec.total is None:
            return None
        return _whole(self._spec.total.find(page.document), str(self._spec.total), page.response)

    def _turn(self, number: int) -> Turn:
        values = {self._spec.param: self._spec.start + number - 1}
        if self._spec.size_param and self._spec.size:
            values[self._spec.size_param] = self._spec.size
        return _turn(values, self._spec.place, number)

    def _check_size(self, turn: Turn, page: Answered) -> None:
        """Refuse pages whose size changed: numbers then leave records out or bring them twice."""
        if not page.count or self._spec.size_change == "allow":
            return
        size = self._size = self._size or page.count
        changed = page.count if page.count > size else self._short
        if changed is not None:
            msg = (
                f"{page.response.shown_url}: the size of pages changed from {size} to {changed} records before page "
                f"{turn.number}, so page numbers no longer say where a record is. Ask for a size that the API keeps "
                "to (`size_param`, `size`), or declare `pagination.size_change: allow`."
            )
            raise InvalidData(msg)
        self._short = page.count if page.count < size else None


class OffsetPager:
    """Pages by offset: what came is counted, so a changed page size does no harm."""

    def __init__(self, spec: Offsets) -> None:
        self._spec = spec

    def first(self) -> Turn:
        """From ``start`` on."""
        return self._turn(self._spec.start, 1)

    def following(self, turn: Turn, page: Answered) -> Turn | None:
        """Behind the records that came."""
        at = self._at(turn) + page.count
        total = self._total(page)
        if total is not None and page.count:
            return self._turn(at, turn.number + 1) if at - self._spec.start < total else None
        if total is not None and at - self._spec.start < total:
            msg = (
                f"{page.response.shown_url}: the page is empty, but {total - at + self._spec.start} records are left. "
                "Run again; if it stays, leave `pagination.total` out."
            )
            raise InvalidData(msg)
        return self._turn(at, turn.number + 1) if page.count else None

    def rest(self, turn: Turn, page: Answered) -> list[Turn] | None:
        """Steps of the first page's size, where that is what was asked for and the total is known."""
        total, limit = self._total(page), self._spec.limit
        if total is None or limit is None or page.count != limit:
            return None
        starts = range(self._spec.start + limit, self._spec.start + total, limit)
        return [self._turn(at, turn.number + 1 + index) for index, at in enumerate(starts)]

    def _total(self, page: Answered) -> int | None:
        if self._spec.total is None:
            return None
        return _whole(self._spec.total.find(page.document), str(self._spec.total), page.response)

    def _turn(self, at: int, number: int) -> Turn:
        values = {self._spec.param: at}
        if self._spec.limit_param and self._spec.limit:
            values[self._spec.limit_param] = self._spec.limit
        return _turn(values, self._spec.place, number)

    def _at(self, turn: Turn) -> int:
        """The offset that was asked for; a first page asked for before its paging was known had none."""
        return int({**dict(turn.params), **turn.body}.get(self._spec.param, self._spec.start))


class TokenPager(_OneByOne):
    """Pages by the token that each names for the next."""

    def __init__(self, spec: CursorTokens) -> None:
        self._spec = spec

    def first(self) -> Turn:
        """Without a token."""
        return Turn()

    def following(self, turn: Turn, page: Answered) -> Turn | None:
        """The page of the token; an empty page may name one as well."""
        spec = self._spec
        more = None if spec.has_more is None else spec.has_more.find(page.document)
        token = spec.path.find(page.document)
        if more is False or (spec.has_more is not None and more is None):
            return None
        if token is None or token == "" or token is False:  # 0 is a token
            if more:
                msg = (
                    f"{page.response.shown_url}: `{spec.has_more}` says that there is more, but `{spec.path}` is empty."
                    " See whether `pagination.path` leads to the token."
                )
                raise InvalidData(msg)
            return None
        if isinstance(token, dict | list):
            raise InvalidData(_no_scalar(page, str(spec.path), token, "a token"))
        return _turn({spec.param: token}, spec.place, turn.number + 1)


class LinkPager(_OneByOne):
    """Pages by the URL that each names for the next, in its body or in the header ``Link``."""

    def __init__(self, spec: NextLinks | LinkHeaders) -> None:
        self._spec = spec

    def first(self) -> Turn:
        """The stream's own URL."""
        return Turn()

    def following(self, turn: Turn, page: Answered) -> Turn | None:
        """The page of the link, which may be relative to this one."""
        if isinstance(self._spec, LinkHeaders):
            link = page.response.next_link
        else:
            link = self._spec.path.find(page.document)
            if link is not None and not isinstance(link, str):
                raise InvalidData(_no_scalar(page, str(self._spec.path), link, "a URL"))
        return Turn(url=page.response.absolute(link), number=turn.number + 1) if link else None


def pager_of(spec: Pagination, method: str = "GET") -> Pager:
    """The pager of a kind; ``auto`` is left to ``rest_auto``."""
    if isinstance(spec, Asked) and spec.place is None and method == "POST":
        spec = spec.model_copy(update={"place": "body"})
    if isinstance(spec, PageNumbers):
        return NumberPager(spec)
    if isinstance(spec, Offsets):
        return OffsetPager(spec)
    if isinstance(spec, CursorTokens):
        return TokenPager(spec)
    return LinkPager(spec) if isinstance(spec, NextLinks | LinkHeaders) else SinglePage()


def _turn(values: Mapping[str, Any], place: str | None, number: int) -> Turn:
    """A turn whose parameters go to their place."""
    if place == "body":
        return Turn(body=values, number=number)
    return Turn(tuple((name, _text(value)) for name, value in values.items()), number=number)


def _no_scalar(page: Answered, path: str, found: object, wanted: str) -> str:
    return (
        f"{page.response.shown_url}: `{path}` leads to {type(found).__name__}, not to {wanted}. Mend `pagination.path`."
    )


def _whole(value: Any, path: str, response: Response) -> int:  # noqa: ANN401 - any JSON value
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    msg = f"{response.shown_url}: `pagination.total` ({path}) leads to {value!r}, not to a number. Mend the path."
    raise InvalidData(msg)


def _text(token: Any) -> str:  # noqa: ANN401 - a JSON scalar
    return ("true" if token else "false") if isinstance(token, bool) else str(token)

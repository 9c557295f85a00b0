"""Finds records and further pages in a first answer that nobody described.

What is found is said in the words of ``connectors.yaml``, so it can be written
down there. An answer that says that there is more, but not where, is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from platform_pipelines.connectors.rest_paging_models import (
    AutoPages,
    CursorTokens,
    LinkHeaders,
    NextLinks,
    NoPages,
    Offsets,
    PageNumbers,
)
from platform_pipelines.connectors.rest_paths import Path, json_path
from platform_pipelines.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines.connectors.rest_paging_models import Pagination
    from platform_pipelines.http.exchange import Response

_RECORDS = ("data", "results", "items", "records", "value", "values", "entries", "objects", "rows", "hits")
_LINKS = (
    "next",
    "next_url",
    "next_page_url",
    "next_link",
    "nextLink",
    "@odata.nextLink",
    "links.next",
    "links.next.href",
    "_links.next",
    "_links.next.href",
    "paging.next",
    "paging.next.link",
    "pagination.next",
    "pagination.next_url",
    "meta.next",
    "info.next",
    "next_href",
    "nextPageLink",
    "nextPageUrl",
    "nextRecordsUrl",
    "meta.pagination.links.next",
)
_TOKENS = {
    "paging.next.after": "after",
    "paging.cursors.after": "after",
    "next_cursor": "cursor",
    "nextCursor": "cursor",
    "meta.next_cursor": "cursor",
    "response_metadata.next_cursor": "cursor",
    "pagination.next_cursor": "cursor",
    "cursor.next": "cursor",
    "next_page_token": "page_token",
    "nextPageToken": "pageToken",
    "next_token": "next_token",
    "nextToken": "nextToken",
    "continuation_token": "continuation_token",
    "next_page": "page",
    "nextPage": "page",
    "pagination.next_page": "page",
    "meta.next_page": "page",
}
_TOTALS = (
    "total_pages",
    "totalPages",
    "page_count",
    "last_page",
    "meta.total_pages",
    "meta.last_page",
    "pagination.total_pages",
    "pagination.last_page",
    "page.totalPages",
    "meta.pagination.total_pages",
)
#: where an answer may say which page it is itself
_NUMBERS = ("page", "number", "current_page", "currentPage", "pageNumber", "page_number", "pageIndex")
_OUTER = ("", "meta.", "paging.", "pagination.", "page.", "meta.pagination.")
_MORE = ("has_more", "hasMore", "has_next", "hasNext", "has_next_page", "hasNextPage", "more")
#: true on the last page
_LAST = ("last", "isLast", "is_last", "is_last_page")

_TOTAL = (
    "total", "total_count", "totalCount", "total_results", "totalResults", "total_records", "totalRecords",
    "total_items", "totalItems", "totalElements", "totalSize",
)  # fmt: skip
_COUNTS = (*(f"{outer}{name}" for outer in _OUTER for name in _TOTAL), "count", "info.count", "@odata.count")
_COUNT_HEADERS = ("X-Total-Count", "X-Total", "X-WP-Total", "Total-Count")
_SIZES = frozenset(
    {"limit", "per_page", "perpage", "page_size", "pagesize", "page[size]", "size", "count", "top", "$top"}
)


def records_path(document: Any, shown: str) -> Path:  # noqa: ANN401 - any JSON value
    """Where the records are: the answer itself, the list of a usual name, or the only list of objects.

    Raises:
        InvalidData: there is none, or more than one.
    """
    if isinstance(document, list):
        return Path("$", ())
    lists = [key for key, value in document.items() if isinstance(value, list)] if isinstance(document, dict) else []
    usual = [name for name in _RECORDS if name in lists]
    filled = [key for key in lists if document[key] and all(isinstance(each, dict) for each in document[key])]
    found = usual[:1] or (filled if len(filled) == 1 else lists if len(lists) == 1 else [])
    if len(found) == 1:
        return Path(found[0], (found[0],))
    keys = ", ".join(list(document)[:20]) if isinstance(document, dict) else type(document).__name__
    what = "several lists" if lists else "no list of records"
    msg = f"{shown} answered with {what}; keys: {keys}. Say where the records are: `records: PATH`."
    raise InvalidData(msg)


def pagination(auto: AutoPages, document: Any, count: int, response: Response) -> Pagination:  # noqa: ANN401 - any JSON value
    """How further pages are asked for, as the first answer shows it.

    Args:
        auto: what is declared.
        document: the answer; the records may be missing in it.
        count: how many they are.
        response: where it came from.

    Raises:
        InvalidData: there is more, or may be, and the answer does not say where.
    """
    found = _shown(document, response)
    if found is None:
        _check_alone(document, count, response)
        found = NoPages()
    return found.model_copy(update={"max_pages": auto.max_pages, "repeated": auto.repeated})


def _check_alone(document: Any, count: int, response: Response) -> None:  # noqa: ANN401 - any JSON value
    """Refuse an answer that is not all there is, as far as it can be known."""
    told = [(name, more) for names, more in ((_MORE, True), (_LAST, False)) for name in names]
    marks = [(f"{outer}{name}", more) for outer in _OUTER for name, more in told]
    more = next((text for text, sign in marks if json_path(text).find(document) is sign), None)
    if more is not None:
        msg = f"{response.shown_url}: `{more}` says that there is more, but not where. Declare `pagination`."
        raise InvalidData(msg)
    counts = [(text, _number(json_path(text).find(document))) for text in _COUNTS]
    counts += [(name, _number(response.headers.get(name))) for name in _COUNT_HEADERS]
    for text, found in counts:
        if found is not None and found > count:
            msg = (
                f"{response.shown_url}: `{text}` says {found}, and {count} records came; nothing says where the others "
                "are. Declare `pagination`, or `{type: none}` if these are all."
            )
            raise InvalidData(msg)
    asked = parse_qsl(urlsplit(response.url).query)
    size = next((f"{name}={value}" for name, value in asked if name.lower() in _SIZES and value == str(count)), None)
    if size is not None and count:
        msg = (
            f"{response.shown_url}: as many records came as were asked for (`{size}`), and nothing says whether there "
            "are more. Declare `pagination`, or `{type: none}` if these are all."
        )
        raise InvalidData(msg)


def _shown(document: Any, response: Response) -> Pagination | None:  # noqa: ANN401 - any JSON value
    """The first kind of paging whose marks the answer bears."""

    def value(text: str) -> Any:  # noqa: ANN401 - any JSON value
        return json_path(text).find(document)

    if response.next_link:
        return LinkHeaders()
    link = next((text for text in _LINKS if _is_link(value(text))), None)
    if link is not None:
        return NextLinks(path=json_path(link))
    token = next((text for text in _TOKENS if _is_token(value(text))), None)
    if token is not None:
        return CursorTokens(path=json_path(token), param=_TOKENS[token])
    total = next((text for text in _TOTALS if _number(value(text)) is not None), None)
    if total is not None:
        numbers = (_number(value(f"{outer}{name}")) for outer in _OUTER for name in _NUMBERS)
        own = next((number for number in numbers if number is not None), None)
        return PageNumbers(total=json_path(total), start=_page_asked(response) if own is None else own)
    return _offsets(value)


def _offsets(value: Callable[[str], Any]) -> Offsets | None:
    """Offsets, where an answer says its own, its limit and the number of records."""
    for outer in _OUTER:
        total = next((path for name in _TOTAL if _number(value(path := f"{outer}{name}")) is not None), None)
        limit = _number(value(f"{outer}limit"))
        if total and _number(value(f"{outer}offset")) == 0 and limit:
            return Offsets(limit=limit, total=json_path(total))
    return None


def _is_link(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, str) and ("/" in value or value.startswith("?"))


def _is_token(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _number(value: Any) -> int | None:  # noqa: ANN401 - any JSON value
    """A whole number, which some write as text; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else None


def _page_asked(response: Response) -> int:
    """The page number that the first request asked for; 1 if it did not say."""
    asked = dict(parse_qsl(urlsplit(response.url).query)).get("page", "1")
    return int(asked) if asked.isdecimal() else 1

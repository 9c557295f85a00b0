"""One request and its answer, as connectors see them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import InvalidData
from platform_pipelines.http.masking import excerpt
from platform_pipelines.http.target import joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

#: the names and values of a query, in order; a name may stand there more than once
Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes:
        method: GET, POST, PUT, PATCH or DELETE.
        url: a path under ``base_url``, or an absolute URL of the same origin.
        params: added to the query that ``url`` may have; one of the same name replaces what stands there.
        headers: added to those of the connector.
        json: the body as a JSON value; None for no body. Decimals are written as numbers.
        content: the body as bytes, instead of ``json``.
        repeatable: whether sending it twice does no harm. One that is not is sent
            again only where the server surely did nothing: it could not be
            reached, or answered 429 or 503.
    """

    method: str
    url: str
    params: Params = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """What was answered.

    Attributes:
        status: the HTTP status.
        url: where it came from in the end; may hold secrets, so show ``shown_url``.
        shown_url: the method and the URL for people, secrets masked.
        headers: by name, whatever its case.
        content: the body, unpacked.
        next_link: the URL of the Link header whose ``rel`` is ``next``, as it stands there; None without one.
    """

    status: int
    url: str
    shown_url: str
    headers: httpx.Headers
    content: bytes
    next_link: str | None = None

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body as Python objects; numbers as Python's ``int`` and ``float``, infinite beyond its range.

        Raises:
            InvalidData: the body is no JSON; says what it is instead.
        """
        import orjson

        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError:
            pass
        try:  # orjson refuses numbers beyond every double, and lone surrogates
            return json.loads(self.content, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise InvalidData(not_json(self, str(error))) from None

    def absolute(self, link: str) -> str:
        """A link in this answer, which may be relative to its URL, as an absolute URL.

        Raises:
            InvalidData: it is no URL.
        """
        return joined(self.url, link)


def _no_constant(name: str) -> Any:  # noqa: ANN401 - the decoder's signature
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def not_json(response: Response, problem: str) -> str:
    """What to say of a body that is no JSON: cut off, HTML, empty or something else."""
    body, kind = response.content.lstrip(), response.headers.get("content-type", "no content type")
    if not body:
        what = "an empty body"
        todo = "See whether the path is right."
    elif body[:1] == b"<":
        what = f"HTML or XML ({kind})"
        todo = "See whether `base_url` and the path are those of the API, and whether the credentials are accepted."
    elif body[:1] in b"{[":
        what = f"JSON that is cut off or malformed ({problem})"
        todo = "Run again; if it stays, ask the API's makers, or ask for smaller pages."
    else:
        what = f"something that is no JSON ({kind})"
        todo = "See whether the path is right and the API can answer in JSON."
    shown = f" It begins: {excerpt(response.content)}" if body else ""
    return f"{response.shown_url} answered {response.status} with {what}. {todo}{shown}"

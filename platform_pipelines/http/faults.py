"""What an answer that is none means: may it pass, who is to blame, what to do next."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from platform_pipelines.errors import ConnectError, InvalidData, PipelinesError
from platform_pipelines.http.masking import excerpt, mask_text

if TYPE_CHECKING:
    from platform_pipelines.http.exchange import Response

_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
#: server errors that no repetition mends
_LASTING = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED})
_ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "The credentials are refused: see whether `auth` is right and has not expired",
    HTTPStatus.FORBIDDEN: "The credentials may not do this: see which scopes or rights they need",
    HTTPStatus.NOT_FOUND: "There is no such path: mend `base_url` or the stream's `path`",
    HTTPStatus.METHOD_NOT_ALLOWED: "Mend `method`",
    HTTPStatus.BAD_REQUEST: "The request is not as the API wants it: see its parameters and body",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The request is not as the API wants it: see its parameters and body",
}


def passing_status(response: Response) -> bool:
    """Whether the status may be another one next time: 408, 425, 429, 5xx, and a 403 that is a rate limit."""
    if response.status == HTTPStatus.FORBIDDEN:
        return "retry-after" in response.headers or response.headers.get("x-ratelimit-remaining") == "0"
    server = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR and response.status not in _LASTING
    return server or response.status in _PASSING


def refused(response: Response) -> PipelinesError:
    """The error of a status that is no answer and will not pass."""
    body = excerpt(response.content)
    said = f": {body}" if body else ""
    advice = _ADVICE.get(response.status, "See the API's documentation of this status") + "."
    message = f"{response.shown_url} answered {response.status}{said}{'' if said.endswith('.') else '.'} {advice}"
    credentials = response.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    passing = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return ConnectError(message) if credentials or passing else InvalidData(message)


def unreachable(shown: str, error: Exception) -> str:
    """What to say of a connection that failed."""
    said = mask_text(str(error)).rstrip(".")
    return f"{shown}: no answer ({type(error).__name__}{f': {said}' if said else ''})"

"""Sends requests: credentials, rate, retries, and an error with a name for what goes wrong.

Which requests, and what their answers mean, is left to the connectors.
"""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from platform_pipelines.errors import ConnectError, InvalidData
from platform_pipelines.http.credentials import Credentials
from platform_pipelines.http.exchange import Request, Response
from platform_pipelines.http.faults import passing_status, refused, unreachable
from platform_pipelines.http.links import next_link
from platform_pipelines.http.masking import mask_logs, mask_text, mask_url
from platform_pipelines.http.retry import PassingFault, retry_after
from platform_pipelines.http.target import absolute, joined, with_params

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import httpx

    from platform_pipelines.http.credentials import Authorizer
    from platform_pipelines.http.rate import Limiter
    from platform_pipelines.http.settings import HttpSettings

_MOST_REDIRECTS = 5


class Client:
    """A pool of connections to one API; may be used by several threads.

    Args:
        settings: base URL, headers, retries, timeout and connections at once.
        authorizer: provides credentials; None for none.
        limiter: when the next request may be sent.
    """

    def __init__(self, settings: HttpSettings, authorizer: Authorizer | None, limiter: Limiter) -> None:
        import httpx

        mask_logs()
        self._closed = threading.Event()
        self._base = settings.base_url
        self._authorizer = authorizer
        self._limiter = limiter
        self._retries = settings.retries
        self._http = httpx.Client(
            headers={"User-Agent": "platform-pipelines", "Accept": "application/json", **settings.headers},
            timeout=httpx.Timeout(settings.timeout, pool=None),
            limits=httpx.Limits(max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, and end the waits of other threads."""
        self._closed.set()
        self._http.close()

    def _pause(self, seconds: float) -> None:
        """Wait, unless the client is closed meanwhile.

        Raises:
            ConnectError: it is.
        """
        if self._closed.wait(seconds):
            msg = "The request was given up because what needed it has ended."
            raise ConnectError(msg)

    def send(
        self,
        request: Request,
        *,
        allow: Collection[int] = (),
        check: Callable[[Response], None] | None = None,
    ) -> Response:
        """Send a request, again where that may help, and return its answer.

        Args:
            request: what to ask.
            allow: statuses outside of 2xx that are returned like answers, after retries of those that may pass.
            check: looks at an answer; raises :class:`retry.PassingFault` where the request should be sent again.

        Raises:
            ConnectError: the server cannot be reached, refuses the credentials, or keeps failing.
            InvalidData: it refuses the request, or leads to another origin.
        """

        def attempt() -> Response:
            response = self._authorized(request, allow)
            if check is not None:
                check(response)
            return response

        found: Response = self._retries.run(attempt, self._pause)
        return found

    def _authorized(self, request: Request, allow: Collection[int]) -> Response:
        """One attempt; a second one with other credentials where the first were refused."""
        for renewed in (False, True):
            credentials = self._authorizer.credentials(self._ask_for_token) if self._authorizer else Credentials()
            response = self._followed(request, credentials)
            may_renew = response.status == HTTPStatus.UNAUTHORIZED and self._authorizer is not None and not renewed
            if not (may_renew and self._authorizer and self._authorizer.renew(credentials)):
                break
        return _judged(request, response, allow)

    def _followed(self, request: Request, credentials: Credentials) -> Response:
        """Send, and follow redirects as long as they stay with the origin."""
        url = with_params(absolute(self._base, request.url), (*request.params, *credentials.params.items()))
        for _ in range(_MOST_REDIRECTS):
            response = self._once(request, url, credentials)
            target = response.headers.get("location")
            if not (HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST and target):
                return response
            if request.method != "GET":
                msg = (
                    f"{response.shown_url} is redirected to {mask_url(joined(url, target))}. Only GET is followed; "
                    "write the new path."
                )
                raise InvalidData(msg)
            url = with_params(absolute(self._base, joined(url, target)), tuple(credentials.params.items()))
        msg = f"{response.shown_url} is redirected more than {_MOST_REDIRECTS} times. Mend the path."
        raise InvalidData(msg)

    def _once(self, request: Request, url: str, credentials: Credentials) -> Response:
        headers = {**request.headers, **credentials.headers}
        if credentials.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in credentials.cookies.items())
        content = request.content
        if request.json is not None:
            content = _encoded(request.json)
            headers.setdefault("Content-Type", "application/json")
        return self._transfer(
            lambda: self._http.build_request(request.method, url, headers=headers, content=content),
            f"{request.method} {mask_url(url)}",
            repeatable=request.repeatable,
        )

    def _ask_for_token(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        """See ``credentials.TokenCall``."""

        def attempt() -> Response:
            response = self._transfer(
                lambda: self._http.build_request("POST", url, data=dict(form), headers=dict(headers)),
                f"POST {mask_url(url)}",
                repeatable=True,
            )
            if passing_status(response):
                raise PassingFault(_said(response), retry_after(response.headers))
            return response

        found: Response = self._retries.run(attempt, self._pause)
        return found

    def _transfer(self, build: Callable[[], httpx.Request], shown: str, *, repeatable: bool) -> Response:
        """One request over the wire.

        Raises:
            PassingFault: the connection broke, and sending it again does no harm.
            ConnectError: it broke in the middle of a request that may not be sent twice.
        """
        import httpx

        self._limiter.wait(self._pause)
        try:
            found = self._http.send(build())
        except httpx.UnsupportedProtocol as error:
            raise ConnectError(unreachable(shown, error)) from None
        except httpx.LocalProtocolError as error:
            msg = f"{shown}: a header cannot be sent: {mask_text(str(error))}. Mend `headers` or `auth`."
            raise InvalidData(msg) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            untouched = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            if repeatable or untouched:
                raise PassingFault(unreachable(shown, error)) from None
            msg = f"{unreachable(shown, error)}. It may have been carried out, so it is not sent a second time."
            raise ConnectError(msg) from None
        except httpx.InvalidURL as error:
            msg = f"{shown}: not a URL that can be asked: {mask_text(str(error))}. Mend `base_url` or the path."
            raise InvalidData(msg) from None
        # cookies that a server sets are not ours to keep: threads share the client
        self._http.cookies.clear()
        link = next_link(found.headers.get("link", ""))
        return Response(found.status_code, str(found.url), shown, found.headers, found.content, link)


def _judged(request: Request, response: Response, allow: Collection[int]) -> Response:
    """The answer, if it is one.

    Raises:
        PassingFault: the status may be another one next time.
        ConnectError: the credentials are refused.
        InvalidData: the request is refused.
    """
    if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        return response
    undone = response.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    if passing_status(response) and (request.repeatable or undone):
        raise PassingFault(_said(response), retry_after(response.headers))
    if response.status in allow:
        return response
    raise refused(response)


def _said(response: Response) -> str:
    return f"{response.shown_url} answered {response.status}"


def _encoded(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    import orjson

    from platform_pipelines.http.encoding import fallback

    return orjson.dumps(value, default=fallback)

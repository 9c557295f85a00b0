"""What every HTTP connector takes in ``connectors.yaml``, and the client that comes of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, PrivateAttr

from platform_pipelines.http.auth import Auth
from platform_pipelines.http.client import Client
from platform_pipelines.http.rate import Limiter, RateLimit
from platform_pipelines.http.retry import Retries
from platform_pipelines.spec.base import Positive, Seconds
from platform_pipelines.spec.secrets import register
from platform_pipelines.spec.telling import hides

if TYPE_CHECKING:
    from platform_pipelines.http.credentials import Authorizer


def _is_base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = "this is not the URL of an API. Write it like https://api.example.com/v3"
        raise ValueError(msg)
    if parts.username or parts.password:
        msg = "a URL must not hold a user or password. Write `auth: {type: basic, username: …, password: …}`"
        raise ValueError(msg)
    if parts.query or parts.fragment:
        msg = "a base URL ends with its path. Write parameters as `params` of the streams, or as `auth`"
        raise ValueError(msg)
    return url


class _Shared:
    """What all clients of one connector share: one token, one rate."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.authorizer: Authorizer | None = None
        self.limiter: Limiter | None = None


class HttpSettings(BaseModel):
    """Settings of an HTTP connector; a connector inherits from this and from ``Connector``.

    Attributes:
        base_url: under which all paths lie.
        auth: who asks; see ``auth``.
        headers: sent with every request.
        rate_limit: requests per time at most, such as ``10/s``.
        retries: how often and how long a request is tried again.
        timeout: seconds without an answer, or a part of one, after which a connection counts as broken.
        concurrency: requests under way at once at most.
        state: folder for refresh tokens that the server replaces; beside the landing log if not given.
    """

    base_url: Annotated[str, AfterValidator(_is_base)]
    auth: Auth | None = None
    headers: Mapping[str, str] = Field(default_factory=dict)
    rate_limit: RateLimit | None = None
    retries: Retries = Field(default_factory=Retries)
    timeout: Seconds = Field(default=60.0)
    concurrency: Positive = 1
    state: str | None = None
    _shared: _Shared = PrivateAttr(default_factory=_Shared)

    def client(self) -> Client:
        """A client of this API, to be closed; all of one connector share a token and the rate."""
        with self._shared.lock:
            if self._shared.limiter is None:
                self._shared.limiter = Limiter(self.rate_limit)
                for name, value in self.headers.items():
                    if "key" in name.lower() or hides(name):
                        register(value)
                if self.auth is not None:
                    self._shared.authorizer = self.auth.authorizer(Path(self.state) if self.state else None)
        return Client(self, self._shared.authorizer, self._shared.limiter)

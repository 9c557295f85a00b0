"""OAuth 2.0 (RFC 6749): tokens by client credentials and by refresh token.

How a token endpoint is asked and its answer read is here; keeping rotated
tokens is left to ``tokens``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SecretStr

from platform_pipelines.errors import ConnectError, InvalidData
from platform_pipelines.http.auth_fixed import basic, plain
from platform_pipelines.http.credentials import Credentials
from platform_pipelines.http.masking import excerpt, mask_url
from platform_pipelines.http.tokens import Kept, TokenFile
from platform_pipelines.spec.base import Frozen, Text
from platform_pipelines.spec.secrets import register

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from platform_pipelines.http.credentials import Authorizer, TokenCall
    from platform_pipelines.http.exchange import Response

#: seconds before its end at which a token counts as expired
_LEEWAY = 30.0
_OK = 200


class OAuth2Auth(Frozen):
    """What both grants need.

    Attributes:
        token_url: the token endpoint, an absolute URL.
        client_id: the client.
        client_secret: its secret; empty for public clients.
        scope: scopes asked for, separated by blanks.
        client_auth: whether the client's credentials go in the form or in a Basic header.
        params: further fields of the form, such as ``audience``.
    """

    token_url: Text
    client_id: Text
    client_secret: SecretStr = SecretStr("")
    scope: str | None = None
    client_auth: Literal["body", "basic"] = "body"
    params: Mapping[str, str] = Field(default_factory=dict)

    def ask(self, call: TokenCall, grant: Mapping[str, str]) -> Token:
        """A token for a grant.

        Raises:
            ConnectError: the endpoint cannot be reached or refuses.
            InvalidData: its answer holds no token.
        """
        form = {**grant, **self.params}
        if self.scope:
            form["scope"] = self.scope
        headers, secret = {"Accept": "application/json"}, plain(self.client_secret)
        if self.client_auth == "basic":
            headers["Authorization"] = basic(self.client_id, secret)
        else:
            form["client_id"] = self.client_id
            if secret:
                form["client_secret"] = secret
        return _token(call(self.token_url, form, headers))


class ClientCredentialsAuth(OAuth2Auth):
    """Tokens for the client itself (RFC 6749, 4.4)."""

    type: Literal["oauth2_client_credentials"]

    def authorizer(self, state: Path | None) -> Authorizer:  # noqa: ARG002 - such a token is asked for anew
        """Asks for a token when there is none or it has expired."""
        return _Tokens(lambda call, _: self.ask(call, {"grant_type": "client_credentials"}))


class RefreshTokenAuth(OAuth2Auth):
    """Tokens by a refresh token (RFC 6749, 6), which the server may replace each time.

    Attributes:
        refresh_token: the first one; later ones are kept in the state folder.
    """

    type: Literal["oauth2_refresh_token"]
    refresh_token: SecretStr

    def authorizer(self, state: Path | None) -> Authorizer:
        """Asks for a token; a refresh token that comes with it is saved, under lock, before anything uses it."""
        first = plain(self.refresh_token)
        file = TokenFile.of(state, self.token_url, self.client_id, first)

        def ask(call: TokenCall, refused: str | None) -> Token:
            with file.locked():
                kept = file.read()
                if kept and kept.access_token and kept.access_token != refused and time.time() < kept.expires_at:
                    # another process has renewed it meanwhile; asking again could void its token
                    return Token(kept.access_token, kept.expires_at)
                old = (kept and kept.refresh_token) or first
                token = self.ask(call, {"grant_type": "refresh_token", "refresh_token": old})
                file.write(Kept(token.refresh_token or old, token.access_token, token.expires_at))
                return token

        return _Tokens(ask)


@dataclass(frozen=True, slots=True)
class Token:
    """A token endpoint's answer; ``expires_at`` in seconds since 1970, leeway taken off."""

    access_token: str = field(repr=False)
    expires_at: float = float("inf")
    refresh_token: str | None = field(default=None, repr=False)


class _Tokens:
    """Keeps one token until it expires or is refused."""

    def __init__(self, ask: Callable[[TokenCall, str | None], Token]) -> None:
        self._ask = ask
        self._token: Token | None = None
        self._refused: str | None = None
        self._lock = threading.Lock()

    def credentials(self, call: TokenCall) -> Credentials:
        with self._lock:
            if self._token is None or time.time() >= self._token.expires_at:
                self._token = self._ask(call, self._refused)
            return Credentials(headers={"Authorization": f"Bearer {self._token.access_token}"})

    def renew(self, refused: Credentials) -> bool:
        with self._lock:
            current = self._token
            if current and refused.headers.get("Authorization") == f"Bearer {current.access_token}":
                self._token, self._refused = None, current.access_token
            return True


def _token(response: Response) -> Token:
    body = response.json() if response.content else {}
    if response.status != _OK:
        code = body.get("error") if isinstance(body, dict) else None
        todo = (
            "The refresh token is no longer good: authorize anew and put the new one in its place"
            if code == "invalid_grant"
            else "See whether `client_id`, `client_secret`, `scope` and `client_auth` are right"
        )
        said = f"answered {response.status}: {excerpt(response.content)}"
        msg = f"The token endpoint {mask_url(response.url)} {said}. {todo}."
        raise ConnectError(msg)
    if not isinstance(body, dict) or not isinstance(body.get("access_token"), str):
        msg = f"The token endpoint {mask_url(response.url)} gave no `access_token`. See whether `token_url` is right."
        raise InvalidData(msg)
    for name in ("access_token", "refresh_token", "id_token"):
        if isinstance(body.get(name), str):
            register(body[name])
    rotated = body.get("refresh_token") or None
    return Token(body["access_token"], _expiry(body.get("expires_in")), rotated if isinstance(rotated, str) else None)


def _expiry(seconds: Any) -> float:  # noqa: ANN401 - any JSON value
    """When a token ends, in seconds since 1970; short-lived ones get less leeway."""
    try:
        lifetime = float("inf" if seconds is None else seconds)
    except (TypeError, ValueError):
        return float("inf")
    return time.time() + lifetime - min(_LEEWAY, lifetime / 10)

"""What authentication adds to a request, and the contract of whatever provides it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_pipelines.http.exchange import Response


@dataclass(frozen=True, slots=True)
class Credentials:
    """Headers, query parameters and cookies that prove who asks; never shown."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)


class TokenCall(Protocol):
    """Sends a form to a token endpoint, outside of any authentication."""

    def __call__(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        """The answer, of whatever status below 500.

        Raises:
            ConnectError: the endpoint cannot be reached.
        """


class Authorizer(Protocol):
    """Provides credentials; called from several threads."""

    def credentials(self, call: TokenCall) -> Credentials:
        """The credentials for the next request.

        Raises:
            ConnectError: they cannot be had.
        """

    def renew(self, refused: Credentials) -> bool:
        """Told that the server refused ``refused``: whether other ones are worth a try."""


class Fixed:
    """Credentials that never change."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def credentials(self, call: TokenCall) -> Credentials:  # noqa: ARG002 - nothing to ask
        """Always the same."""
        return self._credentials

    def renew(self, refused: Credentials) -> bool:  # noqa: ARG002 - there are no others
        """Never."""
        return False

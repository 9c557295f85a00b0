"""Authentication that needs no token endpoint: bearer, api_key, basic, cookies."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SecretStr, model_validator

from platform_pipelines.http.credentials import Credentials, Fixed
from platform_pipelines.spec.base import Frozen, Text
from platform_pipelines.spec.secrets import register

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.http.credentials import Authorizer


def plain(secret: SecretStr) -> str:
    """The secret, remembered so that it is masked wherever it turns up."""
    text = secret.get_secret_value()
    register(text)
    return text


class BearerAuth(Frozen):
    """A token in the ``Authorization`` header.

    Attributes:
        token: the token.
    """

    type: Literal["bearer"]
    token: SecretStr

    def authorizer(self, state: Path | None) -> Authorizer:  # noqa: ARG002 - nothing to keep
        """The header."""
        return Fixed(Credentials(headers={"Authorization": f"Bearer {plain(self.token)}"}))


class ApiKeyAuth(Frozen):
    """A key under a name of the API's choice.

    Attributes:
        name: name of the header or parameter.
        value: the key.
        place: ``in`` in the YAML: header or query.
    """

    type: Literal["api_key"]
    name: Text = "X-API-Key"
    value: SecretStr
    place: Literal["header", "query"] = Field(default="header", alias="in")

    def authorizer(self, state: Path | None) -> Authorizer:  # noqa: ARG002 - nothing to keep
        """The header or the parameter."""
        pair = {self.name: plain(self.value)}
        return Fixed(Credentials(headers=pair) if self.place == "header" else Credentials(params=pair))


class BasicAuth(Frozen):
    """User and password in the ``Authorization`` header (RFC 7617).

    Attributes:
        username: the user.
        password: the password; may be empty.
    """

    type: Literal["basic"]
    username: str
    password: SecretStr = SecretStr("")

    def authorizer(self, state: Path | None) -> Authorizer:  # noqa: ARG002 - nothing to keep
        """The header."""
        return Fixed(Credentials(headers={"Authorization": basic(self.username, plain(self.password))}))


class CookieAuth(Frozen):
    """Cookies sent with every request; every key but ``type`` is one.

    Attributes:
        cookies: values by name; may also be written as one mapping under ``cookies``.
    """

    type: Literal["cookies"]
    cookies: Mapping[str, SecretStr] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:  # noqa: ANN401 - any YAML value
        if not isinstance(data, dict):
            return data
        given = data.get("cookies")
        cookies = {**(given if isinstance(given, dict) else {})}
        cookies |= {k: v for k, v in data.items() if k != "type" and not (k == "cookies" and isinstance(v, dict))}
        return {"type": data.get("type"), "cookies": cookies}

    def authorizer(self, state: Path | None) -> Authorizer:  # noqa: ARG002 - nothing to keep
        """The cookies."""
        return Fixed(Credentials(cookies={name: plain(value) for name, value in self.cookies.items()}))


def basic(username: str, password: str) -> str:
    """The value of the ``Authorization`` header, remembered as a secret."""
    encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
    register(encoded)
    return f"Basic {encoded}"

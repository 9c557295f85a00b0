"""All kinds of authentication, told apart by ``type``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from platform_pipelines.http.auth_fixed import ApiKeyAuth, BasicAuth, BearerAuth, CookieAuth
from platform_pipelines.http.auth_oauth2 import ClientCredentialsAuth, RefreshTokenAuth

Auth = Annotated[
    BearerAuth | ApiKeyAuth | BasicAuth | ClientCredentialsAuth | RefreshTokenAuth | CookieAuth,
    Field(discriminator="type"),
]

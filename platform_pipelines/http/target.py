"""Where a request goes: paths under the base URL, links of the same origin, and nowhere else.

Credentials never leave the origin they are for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from platform_pipelines.errors import InvalidData
from platform_pipelines.http.masking import mask_text, mask_url

if TYPE_CHECKING:
    from platform_pipelines.http.exchange import Params

_PORTS = {"http": 80, "https": 443}


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme.lower())


def joined(url: str, link: str) -> str:
    """The absolute URL of a link that may be relative to ``url``.

    Raises:
        InvalidData: the link is no URL.
    """
    try:
        found = urljoin(url, link)
        origin(found)
    except ValueError as error:
        msg = f"{mask_url(url)} leads to {mask_text(repr(link))}, which is no URL: {error}."
        raise InvalidData(msg) from None
    return found


def is_absolute(url: str) -> bool:
    """Whether the URL names a host."""
    return url.startswith(("http://", "https://", "//"))


def absolute(base: str, url: str) -> str:
    """The URL that a path or link stands for.

    Raises:
        InvalidData: it leads to another origin.
    """
    if not is_absolute(url):
        path, mark, query = url.partition("?")
        root = base if base.endswith("/") or not path else f"{base}/"
        return f"{root}{path.lstrip('/')}{mark}{query}"
    full = f"{urlsplit(base).scheme}:{url}" if url.startswith("//") else url
    if urlsplit(base).scheme == "https" and full.startswith("http://"):
        full = f"https://{full.removeprefix('http://')}"  # servers behind a proxy often write their links so
    if origin(full) != origin(base):
        msg = (
            f"The server leads to {mask_url(full)}, which is not of the origin of `base_url` {mask_url(base)}; "
            "credentials are not sent there. If that host is right, make it the `base_url`."
        )
        raise InvalidData(msg)
    return full


def with_params(url: str, params: Params) -> str:
    """The URL with parameters set; those of the same name that it has are replaced."""
    if not params:
        return url
    parts = urlsplit(url)
    names = {name for name, _ in params}
    kept = [(n, v) for n, v in parse_qsl(parts.query, keep_blank_values=True) if n not in names]
    return urlunsplit(parts._replace(query=urlencode([*kept, *params])))

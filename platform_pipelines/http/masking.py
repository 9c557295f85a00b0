"""Secrets taken out of URLs and bodies before a person or a log sees them.

Registered secrets are masked by ``spec.secrets``; here, too, whatever stands
where secrets usually stand, registered or not.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import urlsplit, urlunsplit

from platform_pipelines.spec.secrets import mask
from platform_pipelines.spec.telling import NAMES

_MASK = "***"
_PARAMETER = re.compile(rf"(?P<name>(?:^|(?<=[?&;\s])){NAMES}=)(?P<value>[^&;#\s\"']+)", re.IGNORECASE)
_MEMBER = re.compile(rf'(?P<name>"{NAMES}"\s*:\s*")(?P<value>(?:[^"\\]|\\.)*)', re.IGNORECASE)
_SHOWN = 300


def mask_url(url: str) -> str:
    """A URL without its user, and with secrets in its query masked."""
    parts = urlsplit(url)
    host = parts.netloc.rsplit("@", 1)[-1]
    return mask_text(urlunsplit((parts.scheme, host, parts.path, parts.query, "")))


def mask_text(text: str) -> str:
    """Text with registered secrets, and values under names that secrets usually have, masked."""
    masked = _PARAMETER.sub(rf"\g<name>{_MASK}", mask(text))
    return _MEMBER.sub(rf"\g<name>{_MASK}", masked)


def excerpt(content: bytes) -> str:
    """The beginning of a body on one line, secrets masked."""
    text = mask_text(content[: 4 * _SHOWN].decode("utf-8", "replace"))
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[:_SHOWN]}…"


class _Masking(logging.Filter):
    """Masks what httpx logs: it writes whole URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask_text(record.getMessage()), ()
        return True


_FILTER = _Masking()


def mask_logs() -> None:
    """See to it that the HTTP library logs no secrets; calling it again does nothing."""
    for name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy"):
        logging.getLogger(name).addFilter(_FILTER)

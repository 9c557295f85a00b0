"""The header ``Link`` (RFC 8288): where the next page is.

httpx reads it too, but loses a link at a parameter with ``=`` or a URL with ``;``, and pages would silently end.
"""

from __future__ import annotations

import re

_TARGET = re.compile(r"<([^>]*)>")
#: the name, then the value, quoted or not
_PARAMETER = re.compile(r'\s*;\s*([^\s=;,"<>]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')


def next_link(header: str) -> str | None:
    """The target of the first link whose ``rel`` has the word ``next``; None without one."""
    at = 0
    while target := _TARGET.search(header, at):
        at = target.end()
        relation = None
        while parameter := _PARAMETER.match(header, at):
            at = parameter.end()
            if relation is None and parameter[1].lower() == "rel":  # a second one does not count
                relation = parameter[2] if parameter[2] is not None else parameter[3] or ""
        if relation is not None and "next" in relation.lower().split():
            return target[1].strip()
    return None

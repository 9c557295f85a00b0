"""Names that tell that a secret stands beside them: of parameters, headers and fields of bodies.

Two measures: hiding costs nothing where there was no secret, so it goes by parts of
names; a warning that cries wolf is ignored, so it goes by whole words. Values are
left to those who ask.
"""

from __future__ import annotations

import re

#: a name that holds one of these, wherever in it
PARTS = (
    r"[\w.-]*(?:token|secret|passw(?:or)?d|api[_-]?key|(?:private|access|account|subscription)[_-]?key"
    r"|signature|session[_-]?id|credential)[\w.-]*"
)
#: names whose values are hidden
NAMES = rf"(?:{PARTS}|(?:x-)?auth|(?:proxy-)?authorization|key|pwd|sig|code|jwt|assertion|cookie)"
_NAMES = re.compile(NAMES, re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET = re.compile(
    r"auth|authorization|cookie|\w*passw(?:or)?d|pwd|secret|token|\w*apikey|jwt|sig|signature|credentials?"
)
_KEYS = frozenset({"api", "private", "subscription", "access", "account", "secret"})
#: what makes the name one of a page or a guard against forgery, and of a switch
_PAGES = frozenset({"page", "next", "prev", "continuation", "cursor", "sync", "csrf", "xsrf", "idempotency"})
_SWITCHES = frozenset({"include", "exclude", "with", "without", "no", "has", "is", "show", "use"})


def hides(name: str) -> bool:
    """Whether the values of this name are not shown."""
    return _NAMES.fullmatch(name) is not None


def names_secret(name: str) -> bool:
    """Whether what stands under this name is a secret as good as surely: ``X-Api-Key``, ``clientSecret``."""
    words = [each.lower() for each in _WORD.findall(name)]
    if not words or not (_PAGES | _SWITCHES).isdisjoint(words):
        return False
    if words[-1] == "base" and len(words) > 1:  # credentials_base64
        words.pop()
    return _SECRET.fullmatch(words[-1]) is not None or (words[-1] == "key" and not _KEYS.isdisjoint(words[-2:-1]))

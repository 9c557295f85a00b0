"""Messages of drivers on one line, so that ours, which quote them, stay on one line too."""

from __future__ import annotations

import re

_BREAK = re.compile(r"\s*\n\s*")


def one_line(text: object) -> str:
    """The text without line breaks; blanks within a line, which may belong to a value, stay."""
    return _BREAK.sub(" ", str(text).strip())

"""The last part of a good message: what is allowed, and what was probably meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 20
_WIDEST = 80


def show(value: object) -> str:
    """``value`` as it may stand in a message: cut where it is long."""
    text = repr(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def allowed(value: object, choices: Iterable[str], *, none: str = "there are none") -> str:
    """``Allowed: a, b. Did you mean `a`?``, ready to end a message."""
    options = list(choices)
    if not options:
        return f"Allowed: {none}."
    more = f", … ({len(options)} in all)" if len(options) > _SHOWN else ""
    return f"Allowed: {', '.join(options[:_SHOWN])}{more}.{nearest(value, options)}"


def nearest(value: object, choices: Iterable[str]) -> str:
    """`` Did you mean `a`?``, or nothing where no choice is near; compared without case."""
    found = closest(value, choices)
    return "" if found is None else f" Did you mean `{found}`?"


def closest(value: object, choices: Iterable[str]) -> str | None:
    """The nearest choice; None where none is near."""
    folded = {choice.casefold(): choice for choice in choices}
    found = difflib.get_close_matches(str(value).casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None

r"""Regular expressions of the ``regex`` rule: they mean what Python's ``re.search`` means.

DuckDB has RE2, which differs: ``\d``, ``\w`` and ``\s`` know ASCII only there,
and ``$`` does not match before a last newline. A pattern is translated where RE2
can say the same, and left to Python where it cannot. Compare
https://github.com/google/re2/wiki/Syntax with https://docs.python.org/3/library/re.html.
"""

from __future__ import annotations

import re

#: Python's Unicode classes (`str.isdecimal`, `str.isalnum`, `str.isspace`) inside brackets, in RE2's words
_CLASSES = {
    "d": r"\p{Nd}",
    "w": r"\p{L}\p{N}_",
    "s": r"\t-\r\x{1c}-\x{20}\x{85}\p{Z}",
}
#: escaped letters that mean the same to both
_ESCAPED_SAME = set("nrtfva")


def to_re2(pattern: str) -> str | None:
    """The pattern in RE2's words with the verdicts of ``re.search``; None if Python must do it."""
    if re.search(r"\(\?(?!:)|\{,|\[\[|\[:|[*+?}]\+", pattern):
        return None
    pieces, position = [], 0
    while position < len(pattern):
        step = _class_at(pattern, position) if pattern[position] == "[" else _token_at(pattern, position)
        if step is None:
            return None
        piece, position = step
        pieces.append(piece)
    return "".join(pieces)


def search(pattern: str, texts: list[str | None]) -> list[bool]:
    """Whether each text fails to match; NULL does not fail. Equal texts are tried once."""
    compiled = re.compile(pattern)
    verdicts = {text: text is not None and compiled.search(text) is None for text in set(texts)}
    return [verdicts[text] for text in texts]


def _token_at(pattern: str, position: int) -> tuple[str, int] | None:  # noqa: PLR0911 - a table of cases
    """One token outside brackets, translated, and where the next one starts."""
    letter = pattern[position]
    if letter == "$":
        # RE2 has no look-ahead; consuming the newline means the same where nothing follows.
        return (r"(?:\n?\z)", position + 1) if _ends(pattern, position + 1) else None
    if letter == "^":
        return (letter, position + 1) if _starts(pattern, position) else None
    if letter != "\\":
        return letter, position + 1
    escaped = pattern[position + 1]
    after = position + 2
    if escaped.lower() in _CLASSES:
        return f"[{'^' if escaped.isupper() else ''}{_CLASSES[escaped.lower()]}]", after
    if escaped == "A":
        return ("^", after) if _starts(pattern, position) else None
    if escaped == "Z":
        return (r"\z", after) if _ends(pattern, after) else None
    return _plain_escape(pattern, position)


def _plain_escape(pattern: str, position: int) -> tuple[str, int] | None:
    escaped = pattern[position + 1]
    if escaped == "x":
        return f"\\x{{{pattern[position + 2 : position + 4]}}}", position + 4
    if escaped.isascii() and escaped.isalnum() and escaped not in _ESCAPED_SAME:
        return None
    return (f"\\{escaped}" if escaped.isascii() else escaped), position + 2


def _starts(pattern: str, position: int) -> bool:
    """Whether an alternative starts here; RE2 mistakes anchors that follow one another (``^^``)."""
    before = pattern[:position]
    return re.fullmatch(r"(\(\?:|\()*", before) is not None or (before.endswith("|") and "(" not in pattern)


def _ends(pattern: str, position: int) -> bool:
    """Whether an alternative ends here: only closing brackets follow, or a bar outside all brackets."""
    rest = pattern[position:]
    return rest.strip(")") == "" or (rest.startswith("|") and "(" not in pattern)


def _class_at(pattern: str, position: int) -> tuple[str, int] | None:
    """One bracketed class, translated, and where the next token starts."""
    start = position + (2 if pattern.startswith("[^", position) else 1)
    pieces, current = [pattern[position:start]], start
    while current < len(pattern) and (pattern[current] != "]" or current == start):
        step = _member_at(pattern, current)
        if step is None:
            return None
        pieces.append(step[0])
        current = step[1]
    return "".join(pieces) + "]", current + 1


def _member_at(pattern: str, position: int) -> tuple[str, int] | None:
    letter = pattern[position]
    if letter == "[":
        return r"\[", position + 1
    if letter != "\\":
        return ("\\]" if letter == "]" else letter), position + 1
    escaped = pattern[position + 1]
    if escaped in _CLASSES:
        return _CLASSES[escaped], position + 2
    return None if escaped in "DWSbAZ" else _plain_escape(pattern, position)

"""Reads CSV record by record, with line numbers, and goes on after a malformed one.

The careful way, for files that DuckDB's reader refuses: it accepts what that
accepts and gives the same fields. Types are left to ``settle``.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.formats.undecoded import undecoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from platform_pipelines.formats.options import TextOptions

_MOST_CHARACTERS = 16_000_000
_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        line: its first line, counted from 1.
        text: as written.
        fields: its fields; None is NULL.
        problem: why it cannot be read; then ``fields`` do not count.
    """

    line: int
    text: str
    fields: tuple[str | None, ...] = ()
    problem: str | None = None


def read_records(path: Path, options: TextOptions) -> Iterator[Record]:
    """All records of a file, the header among them; blank lines are left out.

    Args:
        path: an uncompressed UTF-8 file.
        options: how it is written.
    """
    split = _Splitter(options)
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        lines = _Lines(iter(stream))
        while (line := lines.next()) is not None:
            yield _record(line, lines, split)


def _record(line: str, lines: _Lines, split: _Splitter) -> Record:
    """The record that begins with ``line``; a malformed one is that line alone, so that good ones after it stay."""
    number = lines.number
    held = [line]
    fields = split(line)
    while fields is None and (rest := lines.until(split.closing, _MOST_CHARACTERS)):
        held += rest
        fields = split("".join(held))
    if isinstance(fields, tuple):
        return Record(number, "".join(held), fields)
    lines.put_back(held[1:], number)
    return Record(number, line, problem=fields or "a quoted field is not closed")


class _Lines:
    """Lines with their number, which can be put back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.number = 0
        self._lines = lines
        self._pending: deque[str] = deque()

    def next(self) -> str | None:
        line = self._pending.popleft() if self._pending else next(self._lines, None)
        if line is None:
            return None
        self.number += 1
        return line.removeprefix("\ufeff") if self.number == 1 else line

    def until(self, pattern: re.Pattern[str], most: int) -> list[str]:
        """The next lines up to one that the pattern matches; none, and none taken, if it is too far away."""
        number, taken, size = self.number, list[str](), 0
        while size < most and (line := self.next()) is not None:
            taken.append(line)
            size += len(line)
            if pattern.match(line):
                return taken
        self.put_back(taken, number)
        return []

    def put_back(self, lines: list[str], number: int) -> None:
        """Give lines back; ``number`` is that of the line before them."""
        self._pending.extendleft(reversed(lines))
        self.number = number


class _Splitter:
    """Splits a record: into fields, into None if it goes on in the next line, or a text that says what is wrong."""

    def __init__(self, options: TextOptions) -> None:
        self._delimiter = options.delimiter
        self._quote = options.quote
        self._nulls = frozenset(options.null_values)
        self._quoted_nulls = self._nulls if options.quoted_nulls else frozenset()
        d, q = re.escape(options.delimiter), re.escape(options.quote)
        inside = f"(?:[^{q}]++|{q}{q})*+"  # possessive: else a place to go back to is kept for every character
        self._field = re.compile(f" *{q}({inside}){q} *({d}|[\r\n]*\\Z)|([^{d}]*)({d}|\\Z)") if q else None
        self._open = re.compile(f" *{q}{inside}\\Z") if q else None
        #: a line in which a field that was open at its beginning is closed
        self.closing = re.compile(f"{inside}{q}(?!{q})") if q else _NEVER

    def __call__(self, text: str) -> tuple[str | None, ...] | str | None:
        if problem := undecoded(text):
            return problem
        if self._field is None or self._quote not in text:
            nulls = self._nulls
            return tuple([None if v in nulls else v for v in text.rstrip("\r\n").split(self._delimiter)])
        return self._split_quoted(text)

    def _split_quoted(self, text: str) -> tuple[str | None, ...] | str | None:
        assert self._field is not None  # noqa: S101 - the caller has looked
        fields: list[str | None] = []
        position = 0
        while True:
            match = self._field.match(text, position)
            assert match is not None  # noqa: S101 - the second alternative matches any text
            quoted, plain = match[1], match[3]
            if quoted is None and plain.lstrip(" ").startswith(self._quote):
                return self._broken(text[position:])
            fields.append(self._value(quoted, plain))
            position = match.end()
            if not (match[2] or match[4] or "").strip("\r\n"):
                return tuple(fields)

    def _broken(self, rest: str) -> str | None:
        assert self._open is not None  # noqa: S101 - the caller has looked
        return None if self._open.match(rest) else "text follows a closing quote"

    def _value(self, quoted: str | None, plain: str) -> str | None:
        if quoted is None:
            plain = plain.rstrip("\r\n")
            return None if plain in self._nulls else plain
        value = quoted.replace(self._quote * 2, self._quote)
        return None if value in self._quoted_nulls else value

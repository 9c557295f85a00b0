"""Reads CSV record by record, with line numbers, and goes on after a malformed one.

The careful way, for files that DuckDB's reader refuses: it accepts what that
accepts and gives the same fields. Types are left to ``settle``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from platform_pipelines.formats.csv_lines import Lines
from platform_pipelines.formats.undecoded import undecoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from platform_pipelines.formats.options import TextOptions

#: of one record; it is held in memory, a few times over
_MOST_CHARACTERS = 256_000_000
#: of a record that is too long, what is kept to know it by
_SHOWN = 1_000
_NEVER = re.compile(r"(?!)")
_BROKEN, _UNCLOSED = "text follows a closing quote", "a quoted field is not closed"


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        line: its first line, counted from 1.
        text: as written; the beginning of one that is too long.
        fields: its fields; None is NULL.
        problem: why it cannot be read; then ``fields`` do not count.
    """

    line: int
    text: str
    fields: tuple[str | None, ...] = ()
    problem: str | None = None


def read_records(path: Path, options: TextOptions, label: str) -> Iterator[Record]:
    """All records of a file, the header among them; blank lines are left out.

    Args:
        path: an uncompressed UTF-8 file.
        options: how it is written.
        label: what messages call it.

    Raises:
        InvalidData: a line is longer than a record may be.
    """
    with path.open("rb") as stream:
        lines = Lines(stream, label, _MOST_CHARACTERS)
        records = _Records(lines, _Splitter(options))
        while (line := lines.next()) is not None:
            yield records.of(line)


class _BrokenError(Exception):
    """Text follows a closing quote."""


class _Records:
    """Makes records of lines.

    A record whose quotes are wrong is its first line alone, so that good ones
    after it stay. One that is only too long, or holds bytes that are no UTF-8, is
    one record still: its lines are not looked at as records.
    """

    def __init__(self, lines: Lines, split: _Splitter) -> None:
        self._lines = lines
        self._split = split
        #: a record that goes on from a line before this one is wrong: it was read on from there already
        self._known, self._why = 0, ""

    def of(self, line: str) -> Record:
        """The record that begins with ``line``, the last one taken."""
        number, fields = self._lines.number, list[str | None]()
        problem = undecoded(line)
        try:
            rest = self._split(line, fields)
        except _BrokenError:
            return Record(number, line, problem=problem or _BROKEN)
        if rest is None:
            return Record(number, line, tuple(fields), problem)
        if number < self._known:
            return Record(number, line, problem=problem or self._why)
        after = self._lines.place()
        try:
            return self._continued(line, fields, rest, problem)
        except _BrokenError:
            self._known, self._why = self._lines.number, _BROKEN
        except EOFError:
            self._known, self._why = self._lines.number + 1, _UNCLOSED
        self._lines.go_back(after)
        return Record(number, line, problem=problem or self._why)

    def _continued(self, line: str, fields: list[str | None], rest: str | None, problem: str | None) -> Record:
        number, size, parts = self._lines.number, len(line), [line]
        while rest is not None:
            run = self._lines.until(self._split.quote, self._split.closing, _MOST_CHARACTERS - size)
            if run is None:
                raise EOFError
            size += run.size
            problem = problem or run.problem
            if size > _MOST_CHARACTERS:  # where it ends must be known, what it holds need not
                rest, parts = self._split.quote, [line[:_SHOWN]]
                fields.clear()
            else:
                parts.append(run.text)
            rest = self._split(rest + run.text, fields)
        if size > _MOST_CHARACTERS:
            problem = (
                f"the record goes on to line {self._lines.number} and has {size} characters, more than the "
                f"{_MOST_CHARACTERS} that one may have; it is rejected as a whole"
            )
        return Record(number, "".join(parts), tuple(fields), problem)


class _Splitter:
    """Splits a record into fields."""

    def __init__(self, options: TextOptions) -> None:
        self._delimiter = options.delimiter
        self.quote = options.quote
        self._nulls = frozenset(options.null_values)
        self._quoted_nulls = self._nulls if options.quoted_nulls else frozenset()
        self._field, self._open, self.closing = _patterns(options.delimiter, options.quote)

    def __call__(self, text: str, fields: list[str | None]) -> str | None:
        """Add the fields of a text to those before it.

        Returns:
            What begins a field that goes on in the next line; None if the record ends.

        Raises:
            _BrokenError: text follows a closing quote.
        """
        if self.quote and self.quote in text:
            return self._split_quoted(text, fields)
        nulls = self._nulls
        fields += [None if v in nulls else v for v in text.rstrip("\r\n").split(self._delimiter)]
        return None

    def _split_quoted(self, text: str, fields: list[str | None]) -> str | None:
        position = 0
        while True:
            match = self._field.match(text, position)
            assert match is not None  # noqa: S101 - the second alternative matches any text
            quoted, plain = match[1], match[3]
            if quoted is None and plain.lstrip(" ").startswith(self.quote):
                return self._open_field(text[position:])
            fields.append(self._value(quoted, plain))
            position = match.end()
            if not (match[2] or match[4] or "").strip("\r\n"):
                return None

    def _open_field(self, rest: str) -> str:
        if self._open.match(rest) is None:
            raise _BrokenError
        return rest

    def _value(self, quoted: str | None, plain: str) -> str | None:
        if quoted is None:
            plain = plain.rstrip("\r\n")
            return None if plain in self._nulls else plain
        value = quoted.replace(self.quote * 2, self.quote)
        return None if value in self._quoted_nulls else value


@cache  # a file of a hundred bytes is read in the time that these take
def _patterns(delimiter: str, quote: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """A field; one that is open at the end; a line in which a field that was open at its beginning is closed."""
    if not quote:
        return _NEVER, _NEVER, _NEVER
    d, q = re.escape(delimiter), re.escape(quote)
    pad = "" if delimiter == " " else " *"  # where a space is the delimiter, it ends an empty field
    inside = f"(?:[^{q}]++|{q}{q})*+"  # possessive: else a place to go back to is kept for every character
    return (
        re.compile(f"{pad}{q}({inside}){q}{pad}({d}|[\r\n]*\\Z)|([^{d}]*)({d}|\\Z)"),
        re.compile(f"{pad}{q}{inside}\\Z"),
        re.compile(f"{inside}{q}(?!{q})"),
    )

"""The lines of a text file with their numbers, in blocks, so that a reader can go back however far it has gone.

What the lines mean is left to the reader.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.undecoded import undecoded

if TYPE_CHECKING:
    import re

#: of a block, and of the first: of most files, only the header is read line by line
_BLOCK_BYTES, _FIRST_BYTES = 1 << 18, 1 << 13


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line begins.

    Attributes:
        block: byte at which its block begins.
        index: its place in the block.
        number: lines before it.
    """

    block: int
    index: int
    number: int


@dataclass(frozen=True, slots=True)
class Run:
    """Lines that follow one another.

    Attributes:
        text: all of them; only the last, if they were more than was to be held.
        size: characters of all of them.
        problem: the first bytes in them that are no UTF-8.
    """

    text: str
    size: int
    problem: str | None


class Lines:
    r"""Lines of a file, which end in ``\n``, ``\r`` or both; bytes that are no UTF-8 become lone surrogates.

    Args:
        stream: the file.
        label: what messages call it.
        most: bytes that one line may have.

    Attributes:
        number: lines taken so far.
    """

    def __init__(self, stream: IO[bytes], label: str, most: int) -> None:
        self.number = 0
        self._stream = stream
        self._label = label
        self._most = most
        self._begin, self._end = 0, 0
        self._held: list[str] = []
        self._index = 0
        self._whole = True

    def next(self) -> str | None:
        """The next line with its ending; None after the last.

        Raises:
            InvalidData: it is longer than a line may be.
        """
        if self._index == len(self._held) and not self._load(self._end):
            return None
        line = self._held[self._index]
        self._index += 1
        self.number += 1
        return line.removeprefix("\ufeff") if self.number == 1 else line

    def until(self, quote: str, closing: re.Pattern[str], room: int) -> Run | None:
        """The next lines up to one that holds the quote and matches the pattern; None if there is none.

        Args:
            quote: what a line holds that can match.
            closing: what the last line matches.
            room: characters to hold; of more than that, the last line alone is given.
        """
        parts: list[str] = []
        held: list[str] = []
        size, problem = 0, None
        while (line := self.next()) is not None:
            size += len(line)
            if not (self._whole or problem) and (wrong := undecoded(line)):
                problem = wrong.replace("of the record", f"of line {self.number}")
            if size <= room:
                held.append(line)
            if self._index == len(self._held):  # joined by block: each short line by itself takes twenty times its text
                parts.append("".join(held))
                held = []
            if quote in line and closing.match(line):
                return Run("".join([*parts, *held]) if size <= room else line, size, problem)
        return None

    def place(self) -> Place:
        """Where the next line begins."""
        return Place(self._begin, self._index, self.number)

    def go_back(self, place: Place) -> None:
        """Go on from there."""
        if place.block != self._begin:
            self._load(place.block)
        self._index, self.number = place.index, place.number

    def _load(self, begin: int) -> bool:
        """Take the block that begins at this byte; False if none does."""
        self._stream.seek(begin)
        content, size = b"", _BLOCK_BYTES if begin else _FIRST_BYTES
        while cut := self._stream.read(size):
            content += cut
            if (length := _ended(content, last=len(cut) < size)) is not None:
                break
            size = len(content)
            if size > self._most:
                raise InvalidData(self._too_long())
        if not content:
            return False
        content = content[:length]
        text = content.decode("utf-8", "surrogateescape")
        self._begin, self._end, self._index = begin, begin + len(content), 0
        self._whole = text.isascii() or undecoded(text) is None
        self._held = list(io.StringIO(text, newline=""))
        return True

    def _too_long(self) -> str:
        return (
            f"{self._label} line {self.number + 1} is longer than {self._most} bytes, the most that one line may have: "
            "this is no CSV, or its line endings are lost. Write the file anew, or take it out of the stream."
        )


def _ended(content: bytes, *, last: bool) -> int | None:
    r"""Bytes up to the end of the last whole line; None if there is none. A ``\r`` at the end may be half an ending."""
    if last:
        return len(content)
    return (content.rfind(b"\n") + 1 or content.rfind(b"\r", 0, -1) + 1) or None

"""Reads JSON and JSON Lines record by record, each value exactly as it was written.

Numbers keep their digits, duplicate keys and lone surrogates are noticed, lines
are counted. Columns and types are left to ``json_pieces`` and ``settle``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.json_numbers import as_double
from platform_pipelines.formats.undecoded import undecoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 20
_SPACE = re.compile(r"[\s,]*")
_LONG = 15
_SHOWN = 200
#: a text with fewer openings cannot be nested deeply
_DEEP = 200


class Number(str):
    """A number as it was written."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """One record.

    Attributes:
        line: its first line, counted from 1.
        text: as written, shortened if it cannot be read.
        value: its values by key.
        problem: why it cannot be read; then ``value`` does not count.
    """

    line: int
    text: str
    value: dict[str, Any]
    problem: str | None = None


def read_lines(path: Path) -> Iterator[JsonRecord]:
    """The records of a JSON Lines file; blank lines are left out."""
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if line.strip():
                yield _parse(number, line)


def read_document(path: Path, label: str) -> Iterator[JsonRecord]:
    """The records of a JSON file: an array of objects, one object, or objects one after another.

    Raises:
        InvalidData: the document is cut off or malformed, so the records after that place are unknown.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as stream:
        buffer, position, line = _start(stream.read(_CHUNK))
        while True:
            try:
                value, end = _DECODER.raw_decode(buffer, position)
                if end == len(buffer) and (more := stream.read(_CHUNK)):
                    buffer, position = buffer[position:] + more, 0
                    continue
            except RecursionError as error:
                raise InvalidData(_cut_off(label, line, "it is nested too deeply")) from error
            except ValueError as error:
                # twice as much each time: a record of many chunks is parsed a few times, not once for each
                if more := stream.read(max(_CHUNK, len(buffer) - position)):
                    buffer, position = buffer[position:] + more, 0
                    continue
                if _at_end(buffer[position:]):
                    return
                raise InvalidData(_cut_off(label, line, error)) from error
            yield _checked(line, buffer[position:end], value)
            line += buffer.count("\n", position, end)
            position, line = _skip(buffer, end, line)


def tagged(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """A value as text that begins with a letter for its kind; None for null. See ``Piece.kinds``."""
    if value is None:
        return None
    if type(value) is Number:
        return f"n{value}"
    if isinstance(value, str):
        return f"s{value}"
    if isinstance(value, bool):
        return "btrue" if value else "bfalse"
    numbers: list[Number] = []
    text = dump(value, numbers)
    return f"{'J' if any(_is_rounded(n) for n in numbers) else 'j'}{text}"


def _is_rounded(number: str) -> bool:
    """Whether the types of nested numbers may round it, or take it for infinite."""
    return len(number) > _LONG or ("e" in number.lower() and not as_double(number))


def dump(value: Any, numbers: list[Number]) -> str:  # noqa: ANN401 - any JSON value
    """A value as JSON text with its numbers as they were written; ``numbers`` collects them."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{dump(v, numbers)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dump(v, numbers) for v in value) + "]"
    if type(value) is Number:
        numbers.append(value)
        return str(value)
    return json.dumps(value, ensure_ascii=False)


class _RepeatedKeyError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        msg = f"the key {repeated!r} stands twice in one object"
        raise _RepeatedKeyError(msg)
    return found


def _constant(name: str) -> Any:  # noqa: ANN401 - the decoder's signature
    msg = f"{name} is not JSON"
    raise ValueError(msg)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Number, parse_int=Number, parse_constant=_constant)


def _parse(number: int, raw: bytes) -> JsonRecord:
    try:
        text = raw.decode("utf-8").strip()
        return _checked(number, text, _DECODER.decode(text))
    except UnicodeDecodeError:
        problem = undecoded(raw.decode("utf-8", "surrogateescape")) or ""
        return _refused(number, raw.decode("utf-8", "backslashreplace"), problem)
    except RecursionError:
        return _refused(number, raw.decode("utf-8", "backslashreplace"), "nested too deeply")
    except ValueError as error:
        return _refused(number, text, f"not a JSON object: {error}")


def _checked(line: int, text: str, value: Any) -> JsonRecord:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict):
        return _refused(line, text, "not an object")
    if problem := undecoded(text):
        return _refused(line, text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"), problem)
    problem = _unfit(text, value)
    return JsonRecord(line, text, value) if problem is None else _refused(line, text, problem)


def _unfit(text: str, value: dict[str, Any]) -> str | None:
    """Why no columns can be made of an object; None if they can."""
    if "" in value:
        return "a key is empty"
    if any("\0" in key for key in value):
        return "a key holds a NUL character"
    if text.count("{") + text.count("[") > _DEEP and _overflows(value):
        return "nested too deeply"
    if "\\u" in text or not text.isascii():
        try:
            dump(value, []).encode("utf-8")
        except UnicodeEncodeError:
            return "a string holds a lone surrogate"
    return None


def _overflows(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether a value that the decoder could bear is nested too deeply to be written again."""
    try:
        dump(value, [])
    except RecursionError:
        return True
    return False


def _refused(line: int, text: str, problem: str) -> JsonRecord:
    return JsonRecord(line, text.strip(), {}, problem)


def _start(buffer: str) -> tuple[str, int, int]:
    stripped = buffer.lstrip()
    inside = stripped.removeprefix("[")
    position, line = _skip(buffer, len(buffer) - len(inside), 1 + buffer.count("\n", 0, len(buffer) - len(inside)))
    return buffer, position, line


def _skip(buffer: str, position: int, line: int) -> tuple[int, int]:
    match = _SPACE.match(buffer, position)
    end = match.end() if match else position
    return end, line + buffer.count("\n", position, end)


def _at_end(rest: str) -> bool:
    return rest.strip() in {"", "]"}


def _cut_off(label: str, line: int, error: Exception | str) -> str:
    return (
        f"{label} line {line}: the document is cut off or malformed: {str(error)[:_SHOWN]}. What follows cannot be "
        "told apart, so nothing of it is read. Write the file anew, one record a line (format jsonl) if it may break."
    )

"""Cuts the array of records out of a JSON text, so that it can go to Arrow without Python objects.

What is left, the envelope, is small and holds what paging needs. A cut is proved
by parsing both parts; where none is found, the whole text must be parsed.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_TRIES = 6


def cuts(content: bytes, path: tuple[str, ...]) -> Iterator[tuple[Any, bytes]]:
    """Ways to cut: the envelope with an empty array in place of the records, and the text that was cut out.

    Args:
        content: a JSON text.
        path: keys that lead to the records; none if the text is the array.
    """
    if not path:
        text = content.strip()
        if text[:1] == b"[" and text[-1:] == b"]":
            yield [], text
        return
    match = _key(path[-1]).search(content)
    if match is None:
        return
    end = len(content)
    for _ in range(_MOST_TRIES):
        end = content.rfind(b"]", match.end() - 1, end)
        if end < 0:
            return
        envelope = _envelope(content[: match.end() - 1] + b"[]" + content[end + 1 :], path)
        if envelope is not None:
            yield envelope, content[match.end() - 1 : end + 1]


def _envelope(text: bytes, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON value
    """The parsed envelope, if the path leads to the empty array in it."""
    import orjson

    try:
        envelope = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    place = envelope
    for key in path:
        place = place.get(key) if isinstance(place, dict) else None
    return envelope if place == [] else None


@lru_cache(maxsize=256)
def _key(name: str) -> re.Pattern[bytes]:
    return re.compile(re.escape(json.dumps(name, ensure_ascii=False).encode()) + rb"\s*:\s*\[")

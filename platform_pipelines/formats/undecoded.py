"""Where a record holds bytes that are no UTF-8.

Readers decode with ``surrogateescape``, so that such bytes can be told and
nothing is ever put in their place; the record is rejected.
"""

from __future__ import annotations

import re

_UNDECODED = re.compile("[\udc80-\udcff]")
_FIRST = 0xDC00


def undecoded(text: str) -> str | None:
    """What is wrong with a record that was decoded with ``surrogateescape``; None if all of it is UTF-8."""
    found = None if text.isascii() else _UNDECODED.search(text)
    if found is None:
        return None
    place = len(text[: found.start()].encode("utf-8", "surrogateescape")) + 1
    return f"byte {place} of the record, {ord(found[0]) - _FIRST:#04x}, is not valid UTF-8"

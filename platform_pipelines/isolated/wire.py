"""Frames on a pipe: a JSON header and raw buffers. Both sides use it; what a frame means is left to them.

    frame = header bytes (u32) | body bytes (u64) | header, JSON | body, the buffers one behind the other

The header's ``sizes`` says where each buffer ends. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

_PREFIX = struct.Struct("<IQ")
_PIECE = 1 << 20


class Broken(Exception):
    """What the other side sent is no frame, or there is none."""


class Ended(Broken):
    """The other side closed the pipe."""


def pack(header: dict[str, Any], buffers: list[bytes]) -> bytes:
    """One frame."""
    text = json.dumps({**header, "sizes": [len(each) for each in buffers]}).encode()
    return b"".join((_PREFIX.pack(len(text), sum(map(len, buffers))), text, *buffers))


def write(descriptor: int, frame: bytes) -> None:
    """Write a frame whole.

    Raises:
        OSError: the other side is gone.
    """
    view = memoryview(frame)
    while view:
        view = view[os.write(descriptor, view[:_PIECE]) :]


def read(descriptor: int, limit: int, header_limit: int | None = None) -> tuple[dict[str, Any], list[bytes]]:
    """Read one frame of at most ``limit`` bytes, of which ``header_limit`` are the header's: header and buffers.

    Raises:
        Broken: the pipe ended, or the frame is too large or malformed.
    """
    head, body = _PREFIX.unpack(_exactly(descriptor, _PREFIX.size))
    if header_limit is not None and head > header_limit:
        msg = f"it sent a header of {head:,} bytes; at most {header_limit:,} are taken"
        raise Broken(msg)
    if head + body > limit:
        msg = f"it sent {head + body:,} bytes at once; at most {limit:,} are taken"
        raise Broken(msg)
    return unpack(_exactly(descriptor, head), _exactly(descriptor, body))


def unpack(text: bytes, body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Header and buffers of a frame, nothing about them taken on trust.

    Raises:
        Broken: the header is no JSON object, or its sizes are not those of the body.
    """
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = "it sent a header that is no JSON"
        raise Broken(msg) from error
    sizes = header.get("sizes") if isinstance(header, dict) else None
    if not isinstance(sizes, list) or not all(type(each) is int and each >= 0 for each in sizes):
        msg = "it sent a header without sizes"
        raise Broken(msg)
    if sum(sizes) != len(body):
        msg = "it sent buffers of other sizes than it said"
        raise Broken(msg)
    buffers, place = [], 0
    for size in sizes:
        buffers.append(body[place : place + size])
        place += size
    return header, buffers


def _exactly(descriptor: int, size: int) -> bytes:
    pieces, left = [], size
    while left:
        piece = os.read(descriptor, min(left, _PIECE))
        if not piece:
            msg = "it closed its output"
            raise Ended(msg)
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)

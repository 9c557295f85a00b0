"""What a launcher and a warm process say to each other: one JSON object a line, over a socket.

1. launcher → warm process: ``{id, command, argument}``
2. warm process → launcher: ``{pid, started, host}`` of a process that waits, or ``{refused}``
3. launcher → that process: ``{go: true}``; without it, it ends having done nothing

So a run starts in exactly one place, whichever of the two dies in between.
"""

from __future__ import annotations

import json
import socket
from typing import Any

from platform_pipelines.orchestration.launcher.errors import NotWarm

#: bytes of one message at most; the configuration of an instance is in it
_LONGEST = 4_000_000
_CHUNK = 65_536


def connect(path: str, seconds: float) -> socket.socket:
    """A connection to the warm process at ``path``; each answer may take so many seconds.

    Raises:
        NotWarm: nobody listens there.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect(path)
    except OSError as error:
        connection.close()
        msg = f"no warm process listens at {path} ({error.strerror or error}); it may still be loading"
        raise NotWarm(msg) from error
    return connection


def say(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one message.

    Raises:
        NotWarm: the other side is gone.
    """
    try:
        connection.sendall(json.dumps(message).encode() + b"\n")
    except OSError as error:
        msg = f"the connection broke: {error}"
        raise NotWarm(msg) from error


def hear(connection: socket.socket) -> dict[str, Any]:
    """Receive one message.

    Raises:
        NotWarm: the other side is gone, too slow, or talks of something else.
    """
    found = bytearray()
    try:
        while not found.endswith(b"\n"):
            chunk = connection.recv(_CHUNK)
            if not chunk or len(found) > _LONGEST:
                msg = "the other side hung up"
                raise NotWarm(msg)
            found += chunk
        message = json.loads(found)
    except (OSError, ValueError) as error:
        msg = f"no answer: {error}"
        raise NotWarm(msg) from error
    if not isinstance(message, dict):
        msg = f"no answer but {message!r}"
        raise NotWarm(msg)
    return message

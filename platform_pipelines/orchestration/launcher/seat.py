"""Where a warm process listens: a socket in a folder that only its owner may enter.

The code server says so in the metadata of its definitions, so that a launcher
finds the one process that has the code and the environment of that very server.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from platform_pipelines.orchestration.launcher.errors import NotWarm

#: the key in the metadata of the definitions
METADATA = "platform_pipelines/warm_process"
#: what a socket's path may have at most on Linux, in bytes, the final zero left out
_LONGEST_PATH = 107


@dataclass(frozen=True)
class Seat:
    """The address of one code server's warm process.

    Attributes:
        path: of its socket.
        id: what it must answer to; a socket of another process does not.
    """

    path: str
    id: str

    @property
    def metadata(self) -> dict[str, str]:
        """What the definitions tell launchers."""
        return {METADATA: json.dumps(asdict(self))}


def free_seat() -> Seat:
    """A seat that nobody has.

    Raises:
        NotWarm: there is no folder that is ours alone.
    """
    name = uuid.uuid4().hex
    path = str(_folder() / f"{name[:12]}.sock")
    if len(os.fsencode(path)) > _LONGEST_PATH:
        msg = f"the path {path} is too long for a socket; set TMPDIR to a shorter one"
        raise NotWarm(msg)
    return Seat(path, name)


def seat_in(text: str) -> Seat:
    """The seat that was written into metadata.

    Raises:
        NotWarm: it names none, or one that others could have made.
    """
    try:
        seat = Seat(**json.loads(text))
    except (ValueError, TypeError) as error:
        msg = f"its definitions name no warm process: {error}"
        raise NotWarm(msg) from error
    _check_private(Path(seat.path).parent)
    return seat


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"platform-pipelines-{os.getuid()}"
    # gone with the next start of the machine, and nothing in it is kept: no durable effect
    folder.mkdir(mode=0o700, exist_ok=True)
    _check_private(folder)
    return folder


def _check_private(folder: Path) -> None:
    try:
        found = folder.lstat()
    except OSError as error:
        msg = f"there is no warm process on this machine: {folder} cannot be looked at ({error.strerror})"
        raise NotWarm(msg) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        msg = f"{folder} is not a folder that only its owner may enter"
        raise NotWarm(msg)

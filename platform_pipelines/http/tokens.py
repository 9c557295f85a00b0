"""Where a rotated refresh token lies: one small file, written under lock before the token is used.

The file can be read by its owner only. A refresh token that the server takes
back at each use is lost for good if it is not saved, so it is synced to disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from platform_pipelines import durable
from platform_pipelines.errors import ConnectError, StoreCorrupt
from platform_pipelines.spec.secrets import register

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Kept:
    """What a token file holds; ``expires_at`` in seconds since 1970."""

    refresh_token: str = field(repr=False)
    access_token: str = field(repr=False)
    expires_at: float


class TokenFile:
    """The tokens of one client and one first refresh token.

    Args:
        path: the file; None keeps tokens in this process only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._memory: Kept | None = None

    @classmethod
    def of(cls, state: Path | None, token_url: str, client_id: str, first: str) -> TokenFile:
        """The file that belongs to these: a new first refresh token begins a new one."""
        if state is None:
            return cls(None)
        name = hashlib.sha256(f"{token_url}\0{client_id}\0{first}".encode()).hexdigest()[:32]
        return cls(state / "tokens" / f"{name}.json")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from renewing the token meanwhile; the kernel releases a dead one's lock.

        Raises:
            ConnectError: the folder cannot be written.
        """
        if self._path is None:
            yield
            return
        with _named(self._path):
            durable.make_folder(self._path.parent)
            descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, _OWNER_ONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def read(self) -> Kept | None:
        """What was kept last.

        Raises:
            StoreCorrupt: the file is not as this class writes it.
        """
        if self._path is None:
            return self._memory
        try:
            kept = Kept(**json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            msg = f"{self._path} does not hold tokens as they were saved. Authorize anew, then remove the file."
            raise StoreCorrupt(msg) from None  # the parser's message could show a token
        register(kept.refresh_token)
        register(kept.access_token)
        return kept

    def write(self, kept: Kept) -> None:
        """Keep these; once this returns, they survive a crash.

        Raises:
            ConnectError: the file cannot be written.
        """
        if self._path is None:
            self._memory = kept
            return
        content = json.dumps({**asdict(kept), "expires_at": min(kept.expires_at, 4e9)}).encode()
        temporary = self._path.with_suffix(".tmp")
        with _named(self._path):
            durable.unlink(temporary)
            with durable.effect("create", temporary):
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
            with os.fdopen(descriptor, "wb") as file:
                durable.fill(file, content)
            durable.rename(temporary, self._path)
            durable.sync(self._path.parent)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = (
            f"A token that the server renewed cannot be saved at {path}: {error.strerror or error}. Make room or mend "
            "its permissions, or set the connector's `state` to a folder that can be written, then authorize anew."
        )
        raise ConnectError(msg) from error

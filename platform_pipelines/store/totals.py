"""Sums over the batches of an epoch, kept beside them, so that counting does not open every one again.

What is summed never changes once it is written: a sum over the first batches
stays true for ever, and those after it are added by whoever asks. The file is no
memory: without it everything is counted anew.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import StoreCorrupt
from platform_pipelines.store import effects
from platform_pipelines.store.arrow import UNREADABLE
from platform_pipelines.store.remedy import reset_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

#: the sums are brought forward once so many batches are beyond them
STEP = 256
_FILE = "totals.json"


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the batches of an epoch up to one of them, all of which have a sealed verdict.

    Attributes:
        through: sequence of the last batch that is counted; 0 for none.
        rows: rows landed.
        dead: dead letters, taken up by a replay or not.
    """

    through: int = 0
    rows: int = 0
    dead: int = 0


def kept(folder: Path) -> Totals:
    """The sums that are kept in an epoch's folder; none of any batch if there are none, or they cannot be read."""
    try:
        return Totals(**json.loads((folder / _FILE).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return Totals()


def counted(folder: Path, so_far: Totals, sequences: Iterable[int]) -> Totals:
    """``so_far`` and the batches of ``sequences``, which are ascending and beyond it, all of them sealed."""
    through, rows, dead = so_far.through, so_far.rows, so_far.dead
    for through in sequences:
        rows += landed(folder, through)
        dead += rejected(folder, through)
    return Totals(through, rows, dead)


def bring_forward(folder: Path, committed: Iterable[int], sealed: set[int]) -> None:
    """Count batches that have come, if they are many; call it with the feed's lock held."""
    so_far = kept(folder)
    new = []
    for sequence in sorted(each for each in committed if each > so_far.through):
        if sequence not in sealed:
            break
        new.append(sequence)
    if len(new) >= STEP:
        effects.replace(folder / _FILE, json.dumps(asdict(counted(folder, so_far, new))).encode())


def landed(folder: Path, sequence: int) -> int:
    """Rows of one batch, without opening more of its manifest than needed.

    Raises:
        StoreCorrupt: the manifest is unreadable.
    """
    return _read(folder / f"{sequence:06d}.json", lambda body: int(body["rows"]))


def rejected(folder: Path, sequence: int) -> int:
    """Dead letters of one batch, by its sealed verdict.

    Raises:
        StoreCorrupt: the verdict is unreadable.
    """
    return _read(folder / f"{sequence:06d}.verdict.json", lambda body: sum(int(file["rows"]) for file in body["dead"]))


def _read(path: Path, count: Callable[[Any], int]) -> int:
    content = path.read_bytes()
    try:
        return count(json.loads(content))
    except UNREADABLE as error:
        msg = (
            f"{path} is unreadable ({type(error).__name__}: {error}). "
            f"Restore it from a backup, or start the feed over with {reset_command(path)}."
        )
        raise StoreCorrupt(msg) from error

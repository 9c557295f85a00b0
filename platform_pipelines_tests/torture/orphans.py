"""What may lie in a landing log and in the temporary folder, so that the rest is known to be left over."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.scratch import PREFIX
from platform_pipelines.store import FeedLog, keysnapshot, refusals

if TYPE_CHECKING:
    from collections.abc import Iterator


def known_in_log(log: FeedLog) -> Iterator[Path]:
    """What the manifests, verdicts and other commits of a feed refer to."""
    yield from log.folder.glob(".*lock")
    for epoch in log.epochs():
        folder, keys = log.epoch_folder(epoch), keysnapshot.latest(log, epoch)
        yield from (
            folder,
            folder / "epoch.json",
            folder / "totals.json",
            folder / "expired.json",
            *(folder / file.path for file in keys.files),
        )
        for refusal in refusals.latest(log, epoch):
            yield from (folder / f"{refusal.name}.json", *(folder / file.path for file in refusal.files))
        if keys.sequence:
            yield folder / f"{keys.sequence:06d}.keys.json"
        for sequence in log.sequences(epoch):
            manifest, verdict = log.manifest(epoch, sequence), log.verdict(epoch, sequence)
            yield from (folder / f"{sequence:06d}.{ending}" for ending in ("json", "verdict.json"))
            if manifest.kind == "replay":
                yield folder / f"{sequence:06d}.replay"
            files = (*manifest.files, *([manifest.rejects] if manifest.rejects else []))
            yield from folder.glob(f"{sequence:06d}.held-*.json")
            if verdict:
                files += (*verdict.files, *verdict.left_out, *verdict.dead)
            yield from (folder / file.path for file in files)


def is_record(parts: tuple[str, ...]) -> bool:
    """Whether a path below the landing log is history: of runs, or of schemas."""
    kinds = {"schemas": r"\d{6}\.json", "history": r"\d{20}-[0-9a-f]{8}\.json"}
    return parts[0] == "_runs" or (
        len(parts) > 2 and parts[1] in kinds and re.fullmatch(kinds[parts[1]], parts[-1]) is not None
    )


def unused_scratch(temporary: Path | None = None) -> Iterator[Path]:
    """Temporary folders whose processes are dead."""
    for path in (temporary or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield path
            finally:
                os.close(descriptor)

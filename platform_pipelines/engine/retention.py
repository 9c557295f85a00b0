"""Retention: remove batch files that no destination needs any more.

Files of a superseded epoch go once every destination has loaded the epoch that
replaced it. Files of the live epoch stay, unless ``PIPELINES_RETENTION`` says
for how long. Manifests, verdicts and dead letters stay in any case; they are
the history.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
from typing import TYPE_CHECKING

from platform_pipelines import durable
from platform_pipelines.engine import knownkeys
from platform_pipelines.engine.context import utc_now
from platform_pipelines.engine.forgetting import needed_from
from platform_pipelines.engine.offsets import slowest_offset
from platform_pipelines.engine.vanished import detects
from platform_pipelines.errors import FeedBusy, SpecError
from platform_pipelines.model import Offset
from platform_pipelines.store import effects
from platform_pipelines.store.gone import note_expired

if TYPE_CHECKING:
    from platform_pipelines.engine.context import Context
    from platform_pipelines.model import Feed
    from platform_pipelines.store import FeedLog

_UNITS = {"d": "days", "h": "hours", "w": "weeks"}


def retention() -> dt.timedelta | None:
    """How long loaded batches are kept: ``PIPELINES_RETENTION`` such as ``30d``; None keeps them for ever.

    Raises:
        SpecError: the setting is not a duration.
    """
    text = os.environ.get("PIPELINES_RETENTION", "").strip()
    if not text:
        return None
    match = re.fullmatch(r"(\d+)([hdw])", text)
    if match is None:
        msg = f"PIPELINES_RETENTION={text!r} is not a duration. Write it like 12h, 30d or 8w; empty keeps everything."
        raise SpecError(msg)
    return dt.timedelta(**{_UNITS[match[2]]: int(match[1])})


def prune(context: Context, feed: Feed) -> int:
    """Remove what may go of one feed; returns how many batches lost their files.

    What cannot go now (a destination does not answer, another run has the feed) goes after a later load.
    """
    log = context.log(feed)
    live = log.live_epoch()
    keep = retention()
    if live is None or (keep is None and not any(log.has_files(epoch) for epoch in log.epochs() if epoch < live)):
        return 0
    loaded = slowest_offset(context, log)
    if loaded is None or loaded.epoch < live:
        return 0
    removed = 0
    with contextlib.suppress(FeedBusy), log.lock(context.token):
        for epoch in (number for number in log.epochs() if number < live and log.has_files(number)):
            removed += sum(_expire(log, epoch, sequence) for sequence in log.sequences(epoch))
        if keep is not None:
            removed += _expire_old(log, _dispensable(context, log, loaded), utc_now() - keep)
    return removed


def _dispensable(context: Context, log: FeedLog, loaded: Offset) -> Offset:
    """The last loaded batch that nobody needs, once the keys that it brought are kept elsewhere.

    Where keys are looked for that are gone, their rows at the watermark must be found again.
    """
    if not detects(context.pipeline):
        return loaded
    covered = knownkeys.compact(log, loaded.epoch, context.pipeline.destinations[0].key)
    needed = needed_from(log, loaded.epoch) or loaded.sequence + 1
    return Offset(loaded.epoch, min(loaded.sequence, covered, needed - 1))


def _expire_old(log: FeedLog, loaded: Offset, limit: dt.datetime) -> int:
    old = []
    for sequence in log.sequences(loaded.epoch)[:-1]:
        manifest = log.manifest(loaded.epoch, sequence)
        created = dt.datetime.fromisoformat(manifest.created_at)
        # keys that are gone are few, and a replay must know them
        if sequence <= loaded.sequence and created < limit and manifest.kind != "deletes":
            old.append(sequence)
    if old:
        note_expired(log.epoch_folder(loaded.epoch), old[-1])
    return sum(_expire(log, loaded.epoch, sequence) for sequence in old)


def _expire(log: FeedLog, epoch: int, sequence: int) -> bool:
    manifest, verdict = log.manifest(epoch, sequence), log.verdict(epoch, sequence)
    folder = log.epoch_folder(epoch)
    files = [
        folder / file.path for file in (*manifest.files, *((*verdict.files, *verdict.left_out) if verdict else ()))
    ]
    attempts = [path for path in {file.parent for file in files} if path.is_dir()]
    for file in files:
        if file.exists():
            effects.remove(file)
    for attempt in attempts:  # one that a killed run emptied is removed now
        if not any(attempt.iterdir()):
            durable.remove_folder(attempt)
    return bool(attempts)

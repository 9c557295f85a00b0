"""Batches that may hold newer versions of rows that come late, or delete their keys.

Which of their rows really are newer is left to ``overtaken``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.engine.ordercolumn import order_column
from platform_pipelines.store.passed import passed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.origins import Replays
    from platform_pipelines.rowfiles import RowFiles
    from platform_pipelines.spec import DestinationSpec
    from platform_pipelines.store import FeedLog, Manifest, Verdict


@dataclass(frozen=True, slots=True)
class Late:
    """Rows that may come late.

    Attributes:
        before: rows of batches before this sequence may have overtaken them.
        origin: sequence of the batch that read them.
        low: a cursor that none of them is below; None where that is not known.
        again: whether they were read long ago, and come again.
    """

    before: int
    origin: int
    low: Cursor | None
    again: bool = True


@dataclass(frozen=True, slots=True)
class Rival:
    """Rows of another batch.

    Attributes:
        rows: the rows.
        column: the column that orders versions in them; None for none.
        deletes: whether they are keys found gone.
        sequence: of their batch; 0 in another feed, whose batches are neither before nor behind.
        origin: sequence of the batch that read them; None in another feed.
    """

    rows: RowFiles
    column: str | None
    deletes: bool = False
    sequence: int = 0
    origin: int | None = None


def late(replays: Replays, manifest: Manifest, *, compares: bool) -> Late | None:
    """What may come late of a batch; None for nothing.

    Args:
        replays: of its epoch.
        manifest: the batch.
        compares: whether the destination leaves out by itself what is older than what it has.
    """
    if manifest.kind == "replay":
        return Late(manifest.sequence, replays.read_by(manifest.sequence), replays.lowest(manifest))
    if compares or manifest.kind == "deletes" or manifest.cursor_low is None:
        return None
    return Late(manifest.sequence, manifest.sequence, manifest.cursor_low, again=False)


def sent_again(replays: Replays, manifest: Manifest, upto: int) -> Late:
    """Rows of a batch that come again, once batches up to ``upto`` are loaded."""
    return Late(upto + 1, replays.read_by(manifest.sequence), replays.lowest(manifest))


def rivals(
    context: Context, log: FeedLog, spec: DestinationSpec, lates: Iterable[Late], replays: Replays
) -> list[Rival]:
    """The batches that may hold newer versions of late rows, of the same feed and, of rows that come again, of others.

    A batch whose files retention has removed tells nothing.

    Raises:
        StoreCorrupt: a batch file was changed.
    """
    known = list(lates)
    found = _of_feed(context, log, spec, known, replays)
    again = [each for each in known if each.again]
    if again and context.pipeline.partitions is not None and context.pipeline.source.cursor is not None:
        found += _of_others(context, log, spec, again)
    return found


def grouped(found: list[Rival]) -> dict[str | None, list[Rival]]:
    """Those that are rows, by the column that orders them; rows without one come together, deletes are left out."""
    groups: dict[str | None, list[Rival]] = defaultdict(list)
    for each in found:
        if not each.deletes:
            groups[each.column].append(each)
    return groups


def _of_feed(context: Context, log: FeedLog, spec: DestinationSpec, lates: list[Late], replays: Replays) -> list[Rival]:
    epoch = replays.epoch
    sealed = log.sealed(epoch)
    found = []
    for sequence in sorted({number for each in lates for number in _before(log, epoch, each, sealed)}):
        verdict = log.verdict(epoch, sequence)
        if verdict is None or verdict.schema is None or not _holds(log, verdict, spec):
            continue
        deletes = log.manifest(epoch, sequence).kind == "deletes"
        column = None if deletes else order_column(context, verdict.schema)
        found.append(Rival(passed(log, verdict), column, deletes, sequence, replays.read_by(sequence)))
    return found


def _before(log: FeedLog, epoch: int, late: Late, sealed: set[int]) -> Iterator[int]:
    """Sequences before the late rows, newest first, that may hold a newer version or delete one."""
    for sequence in sorted((number for number in sealed if number < late.before), reverse=True):
        manifest = log.manifest(epoch, sequence) if sequence < late.origin and late.low else None
        if manifest is not None and not late.again and _is_below(manifest.watermark, late.low):
            return  # so are all batches before, unless the source went back
        if manifest is None or not _is_older(manifest, late.low):
            yield sequence


def _is_older(manifest: Manifest, low: Cursor | None) -> bool:
    """Whether all rows of a batch are older than what begins at ``low``; of replays and deletes that is not known."""
    return manifest.kind in {"extract", "window"} and _is_below(manifest.cursor_high, low)


def _is_below(cursor: Cursor | None, low: Cursor | None) -> bool:
    return cursor is not None and low is not None and cursor.kind == low.kind and low.at_least(cursor)


def _of_others(context: Context, log: FeedLog, spec: DestinationSpec, lates: list[Late]) -> list[Rival]:
    """Batches of other partitions, to which a row may have moved: they are compared by cursor alone."""
    lows = [each.low for each in lates]
    low = lows[0] if len(lows) == 1 else None
    found = []
    for feed in context.project.store.feeds(context.pipeline.name):
        other = context.log(feed)
        epoch = other.live_epoch()
        if feed == log.feed or epoch is None:
            continue
        for sequence in other.sealed(epoch):
            manifest = other.manifest(epoch, sequence)
            verdict = None if manifest.kind == "deletes" or _is_older(manifest, low) else other.verdict(epoch, sequence)
            if verdict is None or verdict.schema is None or not _holds(other, verdict, spec):
                continue
            column = order_column(context, verdict.schema)
            if column is not None:
                found.append(Rival(passed(other, verdict), column))
    return found


def _holds(log: FeedLog, verdict: Verdict, spec: DestinationSpec) -> bool:
    """Whether a batch has rows with this key, and its files are there still."""
    if verdict.schema is None or not verdict.rows_out or set(spec.key) - set(verdict.schema.names):
        return False
    folder = log.epoch_folder(verdict.epoch)
    return all((folder / file.path).exists() for file in verdict.files)

"""What a destination did with the versions of a row that passed: loaded, overwrote, removed, not yet.

Told from its offsets and from the rules by which loads merge; the destination's
table itself is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from platform_pipelines.engine.offsets import current_offset
from platform_pipelines.engine.refused_versions import pairs
from platform_pipelines.errors import PipelinesError
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.refused_versions import Refused
    from platform_pipelines.engine.rowkey import RowKey
    from platform_pipelines.engine.version import Version
    from platform_pipelines.model import Feed, Offset
    from platform_pipelines.spec import DestinationSpec

Status = Literal["loaded", "deleted", "refused", "pending", "absent", "unknown"]


@dataclass(frozen=True, slots=True)
class Fate:
    """One destination's answer.

    Attributes:
        status: ``loaded``: its newest version is there; ``deleted`` by a version;
            ``refused``: the destination would not take it; ``pending``: it waits
            for the next load; ``absent``: nothing of it was ever to be loaded;
            ``unknown``: the destination cannot be asked, or versions cannot be
            told apart.
        version: the version that decided.
        offset: the last batch the destination has loaded of that version's feed.
        overwritten: versions that it holds no more, with what took their place.
        detail: one sentence.
    """

    status: Status
    detail: str
    version: Version | None = None
    offset: Offset | None = None
    overwritten: tuple[tuple[Version, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "status": self.status,
            "batch": f"{self.version.batch.epoch}/{self.version.batch.sequence}" if self.version else None,
            "partition": self.version.feed.partition if self.version else None,
            "offset": {"epoch": self.offset.epoch, "sequence": self.offset.sequence} if self.offset else None,
            "overwritten": [{"batch": v.place, "detail": detail} for v, detail in self.overwritten],
            "detail": self.detail,
        }


def fate(
    context: Context, spec: DestinationSpec, key: RowKey, versions: Sequence[Version], refusals: Sequence[Refused] = ()
) -> Fate:
    """What the destination did with the versions that passed (of live and of older epochs).

    Args:
        context: the pipeline.
        spec: the destination.
        key: the row's key.
        versions: those that passed.
        refusals: rows of the key that destinations refused and have not taken since.
    """
    try:
        offsets = _offsets(context, spec, {version.feed for version in versions})
    except PipelinesError as error:
        return Fate("unknown", f"It cannot be asked: {mask(str(error))}")
    loaded = [v for v in versions if _has(offsets[v.feed], v)]
    pending = [v for v in versions if v.outcome == "passed" and _awaits(offsets[v.feed], v)]
    refused = pairs([each for each in refusals if each.destination == spec.name], loaded)
    taken = [v for v in loaded if all(v is not other for other, _ in refused)]
    if not loaded:
        return _not_loaded(pending, versions, offsets)
    whole = key.covers(spec.key)
    if refused and (not taken or (whole and max(loaded, key=_age) is refused[-1][0])):
        return _refused(context, refused, taken, offsets)
    found = _merged(context, spec, taken, offsets) if whole else _side_by_side(taken, offsets)
    if refused:
        others = (*found.overwritten, *((v, f"refused: {reason}") for v, reason in refused))
        found = replace(found, overwritten=others)
    if pending:
        listed = ", ".join(v.place for v in pending)
        return replace(found, detail=f"{found.detail} Not loaded yet: {listed}.")
    return found


def _age(version: Version) -> tuple[Any, ...]:
    return version.age


def _refused(
    context: Context,
    refused: Sequence[tuple[Version, str]],
    taken: Sequence[Version],
    offsets: dict[Feed, Offset | None],
) -> Fate:
    """The newest version is a dead letter of the destination, which may hold an older one."""
    newest, reason = refused[-1]
    held = f" It holds the version of batch {max(taken, key=_age).place}." if taken else ""
    detail = (
        f"It would not take batch {newest.place}, row {newest.seen.row} of {newest.seen.file}: {reason.rstrip('.')}. "
        f"Mend it, then `pipelines dead-letters {context.pipeline.name} --replay`.{held}"
    )
    others = tuple((v, f"refused: {why}") for v, why in refused[:-1])
    return Fate("refused", detail, newest, offsets[newest.feed], others)


def _not_loaded(pending: Sequence[Version], versions: Sequence[Version], offsets: dict[Feed, Offset | None]) -> Fate:
    if pending:
        newest = max(pending, key=lambda v: v.age)
        offset = offsets[newest.feed]
        return Fate("pending", f"Batch {newest.place} is not loaded yet ({_come(offset)}).", newest, offset)
    if not versions:
        return Fate("absent", "No version of the row was to be loaded.")
    newest = max(versions, key=lambda v: v.age)
    offset = offsets[newest.feed]
    if offset is None or offset.epoch <= newest.batch.epoch:
        return Fate("absent", f"Batch {newest.place} was replaced before it was loaded.", newest, offset)
    detail = f"Epoch {offset.epoch} has replaced what batch {newest.place} had brought, and has no such row."
    return Fate("deleted", detail, newest, offset)


def _merged(context: Context, spec: DestinationSpec, loaded: list[Version], offsets: dict[Feed, Offset | None]) -> Fate:
    """Versions of one key: the newest one decided, behind the last time that it was found gone."""
    gone = max((v for v in loaded if v.kind == "deletes"), key=lambda v: v.read, default=None)
    left = [v for v in loaded if gone is None or v.read > gone.read]
    left = [v for v in left if not any(_outdates(other, v) for other in left)] if _ordered(context) else left
    newest = max(left, key=lambda v: v.age) if left or gone is None else gone
    others = tuple((v, _lost(v, newest)) for v in sorted(loaded, key=lambda v: v.age) if v is not newest)
    offset = offsets[newest.feed]
    row = f"row {newest.seen.row} of {newest.seen.file} ({_come(offset)})"
    removal = f"with batch {newest.place} of run {newest.run}, {row}"
    deletes = context.pipeline.source.deletes
    if newest is gone:
        how = "Marked as deleted" if deletes is not None and deletes.action == "soft" else "Removed"
        return Fate("deleted", f"{how} {removal}: the source had no such key any more.", newest, offset, others)
    if spec.mode == "delete":
        return Fate("deleted", f"Removed {removal}: mode delete.", newest, offset, others)
    if newest.seen.deleted and deletes is not None and deletes.action == "hard":
        return Fate("deleted", f"Removed {removal}: `{deletes.field}` is set.", newest, offset, others)
    if spec.mode == "update":
        return Fate(
            "loaded",
            f"Updated with batch {newest.place}, {row}, if the table had a row of this key.",
            newest,
            offset,
            others,
        )
    marked = f" It is marked as deleted by `{deletes.field}`." if newest.seen.deleted and deletes else ""
    return Fate("loaded", f"Loaded with batch {newest.place}, {row}.{marked}", newest, offset, others)


def _ordered(context: Context) -> bool:
    return context.pipeline.source.cursor is not None


def _outdates(other: Version, version: Version) -> bool:
    """Whether ``other`` has no cursor and was read later by the same feed: then it overwrites whatever was there."""
    return other.seen.cursor is None and other.feed == version.feed and other.read > version.read


def _side_by_side(loaded: list[Version], offsets: dict[Feed, Offset | None]) -> Fate:
    """Rows that a destination without this key keeps beside each other."""
    newest = max(loaded, key=lambda v: v.age)
    listed = ", ".join(sorted({v.place for v in loaded}))
    rows = "1 row" if len(loaded) == 1 else f"{len(loaded)} rows"
    detail = f"{rows} loaded with batch {listed} ({_come(offsets[newest.feed])})."
    return Fate("loaded", detail, newest, offsets[newest.feed])


def _offsets(context: Context, spec: DestinationSpec, feeds: set[Feed]) -> dict[Feed, Offset | None]:
    connector = context.connector(spec.connector)
    return {feed: current_offset(context.log(feed), spec, connector) for feed in feeds}


def _has(offset: Offset | None, version: Version) -> bool:
    """Whether it was loaded and its epoch is the one that the destination holds."""
    return offset is not None and version.batch.epoch == offset.epoch and version.batch.sequence <= offset.sequence


def _awaits(offset: Offset | None, version: Version) -> bool:
    return offset is None or version.batch > offset


def _come(offset: Offset | None) -> str:
    return f"its offset is {offset.epoch}/{offset.sequence}" if offset else "it has loaded nothing"


def _lost(version: Version, newest: Version) -> str:
    """Why the newest version stands and this one does not."""
    if newest.kind == "deletes" and version.at > newest.at:
        return f"left out: batch {newest.place} had removed its key"
    if newest.kind == "deletes":
        return f"removed by batch {newest.place}"
    with_cursor = f" (cursor {newest.seen.cursor.text})" if newest.seen.cursor else ""
    if version.batch == newest.batch and version.feed == newest.feed:
        return f"deduplicated: batch {newest.place} holds a newer version{with_cursor}"
    if version.at <= newest.at:
        return f"overwritten by batch {newest.place}{with_cursor}"
    return f"left out: batch {newest.place} had brought a newer version{with_cursor}"

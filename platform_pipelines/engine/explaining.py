"""Why is this row not here? Follows a row's key through every batch of a pipeline's log.

What stands in one batch's files is found by ``sightings``, what transforms did
with it by ``retracing``, what destinations did with it is told by ``fate``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.engine.context import Context
from platform_pipelines.engine.fate import Fate, fate
from platform_pipelines.engine.origins import Replays
from platform_pipelines.engine.refused_versions import Refused, refused_rows
from platform_pipelines.engine.retracing import columns_after, retrace, source_names
from platform_pipelines.engine.rowkey import parse_key
from platform_pipelines.engine.sightings import Search, Sighting
from platform_pipelines.engine.undecided import UNDECIDED, with_undecided
from platform_pipelines.engine.version import Outcome, Version
from platform_pipelines.store.gone import is_expired

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from platform_pipelines.engine.project import Project
    from platform_pipelines.engine.rowkey import RowKey
    from platform_pipelines.model import Feed, Offset
    from platform_pipelines.store import FeedLog, Manifest, Verdict


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of one row.

    Attributes:
        pipeline: the pipeline.
        key: columns and the texts of their values.
        versions: its rows, in the order in which they landed.
        destinations: what each did with them.
        retired: batches whose files retention has removed, as ``EPOCH/SEQUENCE``.
        missing: likewise batches whose files something else has removed, with their feeds.
        notes: what else may be the reason.
    """

    pipeline: str
    key: Mapping[str, str]
    versions: tuple[Version, ...]
    destinations: Mapping[str, Fate]
    retired: tuple[str, ...] = ()
    missing: Mapping[str, Feed] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object that ``state --explain KEY --json`` prints."""
        return {
            "pipeline": self.pipeline,
            "key": dict(self.key),
            "found": bool(self.versions),
            "versions": [version.to_json() for version in self.versions],
            "destinations": {name: item.to_json() for name, item in self.destinations.items()},
            "retired": list(self.retired),
            "notes": [*self.notes, *(f"Files of batch {place} are missing." for place in self.missing)],
        }


def explain(project: Project, name: str, key: str, partition: str | None = None) -> Explanation:
    """Follow a row through the log and to the destinations.

    Args:
        project: the project.
        name: the pipeline.
        key: ``a=1,b=2``, or values in the order of the destination's key.
        partition: one partition; None looks through all.

    Raises:
        UsageError: no such pipeline, partition or key.
        StoreCorrupt: a dead-letter file is missing.
    """
    context = Context(project=project, pipeline=project.pipeline(name), token="")
    feeds = project.store.feeds(name) if partition is None else [context.pipeline.feed(partition)]
    logs = [context.log(feed) for feed in feeds]
    before, after = columns_after(context, logs)
    keyed = {column for destination in context.pipeline.destinations for column in destination.key}
    found = parse_key(context.pipeline, key, {*before, *after, *keyed})
    versions, refusals, gone = _trace(context, logs, found)
    versions.sort(key=lambda version: (version.at, version.batch))
    passed = [version for version in versions if version.rule is None and version.outcome in {"passed", "replaced"}]
    undecided = [version for version in versions if version.outcome in UNDECIDED]
    return Explanation(
        pipeline=name,
        key=found.values,
        versions=tuple(versions),
        destinations={
            d.name: with_undecided(context, fate(context, d, found, passed, refusals), undecided)
            for d in context.pipeline.destinations
        },
        retired=tuple(_place(log.feed, manifest) for log, manifest in gone if _retired(log, manifest)),
        missing={_place(log.feed, manifest): log.feed for log, manifest in gone if not _retired(log, manifest)},
        notes=tuple(_notes(logs)),
    )


def _trace(
    context: Context, logs: list[FeedLog], key: RowKey
) -> tuple[list[Version], list[Refused], list[tuple[FeedLog, Manifest]]]:
    """Versions of the row, those that destinations refused, and batches whose files are gone."""
    versions: list[Version] = []
    refusals: list[Refused] = []
    gone: list[tuple[FeedLog, Manifest]] = []
    cursor = context.pipeline.source.cursor
    deletes = context.pipeline.source.deletes
    with duck.session() as connection:
        names = source_names(context, connection, logs, key)
        for log in logs:
            search = Search(
                connection=connection,
                log=log,
                key=key,
                source=names,
                cursor=((cursor.field,) if cursor else ()) + ("_pipelines_cursor",),
                deleted=deletes.field if deletes else None,
            )
            refusals += refused_rows(search)
            for manifest in _batches(log):
                seen = _Batch(context, search, manifest).versions()
                versions += seen or []
                if seen is None:
                    gone.append((log, manifest))
    return versions, refusals, gone


def _batches(log: FeedLog) -> Iterator[Manifest]:
    for epoch in log.epochs():
        for sequence in log.sequences(epoch):
            yield log.manifest(epoch, sequence)


def _retired(log: FeedLog, manifest: Manifest) -> bool:
    return is_expired(log, manifest.epoch, manifest.sequence)


def _place(feed: Feed, manifest: Manifest) -> str:
    partition = f" of {feed.partition}" if feed.partition is not None else ""
    return f"{manifest.epoch}/{manifest.sequence}{partition}"


def _notes(logs: list[FeedLog]) -> Iterator[str]:
    """How far the feeds have been read, and rows of which only the number was kept."""
    for log in logs:
        epochs = log.epochs()
        manifests = [log.manifest(epochs[-1], sequence) for sequence in log.sequences(epochs[-1])] if epochs else []
        if epochs and not manifests:
            yield f"{log.feed.id} is about to be read anew ({log.epoch_info(epochs[-1]).get('reason')})."
        elif manifests and manifests[-1].watermark is not None:
            yield f"{log.feed.id} has been read up to {manifests[-1].watermark.text}."
        skipped = sum(manifest.skipped for manifest in manifests)
        if skipped:
            yield f"{log.feed.id}: rows left out as their cursor is NULL: {skipped}; only their number is kept."


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch, searched."""

    context: Context
    search: Search
    manifest: Manifest

    def versions(self) -> list[Version] | None:
        """The rows of the key; None if the batch's files are gone and nothing else tells of it."""
        epoch, manifest, log = self.manifest.epoch, self.manifest, self.search.log
        verdict = log.verdict(epoch, manifest.sequence)
        dead = self.search.rejected(epoch, verdict.dead) if verdict else self._unreadable()
        passed = self.search.passed(verdict) if verdict else []
        rejected = [self._rejected(seen) for seen in dead]
        if passed is None:
            return rejected or None
        found = [self._version(seen, *self._passed(verdict)) for seen in passed] if verdict else []
        found += rejected
        landed = self.search.landed(manifest)
        if landed is None or len(landed) <= len(found):
            return found if landed is not None or found else None
        return found + (self._undecided(landed) if verdict is None else self._filtered(landed, len(found)))

    def _passed(self, verdict: Verdict | None) -> tuple[Outcome, str]:
        successor = self._successor()
        if successor:
            return "replaced", f"passed; {successor}"
        released = verdict is not None and verdict.status == "released"
        return "passed", "let through the gate by a person" if released else "passed transforms and rules"

    def _successor(self) -> str:
        """Which epoch has taken the place of the batch's; empty if none has."""
        live = self.search.log.live_epoch()
        if live is None or self.manifest.epoch >= live:
            return ""
        reason = self.search.log.epoch_info(live).get("reason", "")
        return f"epoch {live} ({reason}) has taken the place of its epoch"

    def _unreadable(self) -> list[Sighting]:
        files = [self.manifest.rejects] if self.manifest.rejects else []
        return self.search.rejected(self.manifest.epoch, files)

    def _rejected(self, seen: Sighting) -> Version:
        again = next(
            (
                f"; brought back by batch {replay.epoch}/{replay.sequence}"
                for replay in self.search.log.replays(self.manifest.epoch)
                if any(self._took(item, seen) for item in replay.replays)
            ),
            "",
        )
        return self._version(seen, "rejected", f"rejected by rule {seen.rule}: {seen.reason}{again}", rule=seen.rule)

    def _took(self, item: Mapping[str, Any], seen: Sighting) -> bool:
        """Whether a replay took up this dead letter: it names the files, or takes all there are."""
        manifest, log = self.manifest, self.search.log
        if (item["epoch"], item["sequence"]) != (manifest.epoch, manifest.sequence):
            return False
        folder = log.epoch_folder(manifest.epoch).relative_to(log.folder)
        return "files" not in item or seen.file in {str(folder / path) for path in item["files"]}

    def _undecided(self, landed: list[Sighting]) -> list[Version]:
        held, successor = self.search.log.held(self.manifest.epoch), self._successor()
        if successor:
            return [self._version(seen, "replaced", f"never judged; {successor}") for seen in landed]
        if held is None:
            return [self._version(seen, "waiting", "not judged yet: the next run does") for seen in landed]
        if held.sequence == self.manifest.sequence:
            return [self._version(seen, "held", f"held at the gate: {held.reason}") for seen in landed]
        detail = f"waiting behind batch {held.epoch}/{held.sequence}, which the gate holds"
        return [self._version(seen, "waiting", detail) for seen in landed]

    def _filtered(self, landed: list[Sighting], accounted: int) -> list[Version]:
        """Landed rows that neither passed nor were rejected: the transforms say where they went."""
        found = []
        for seen in landed:
            step = retrace(self.context, self.search, self.manifest, seen)
            if step.filtered:
                found.append(self._version(seen, "filtered", step.detail, transform=step.transform))
            elif not accounted:
                found.append(self._version(seen, "unknown", step.detail, transform=step.transform))
        return found

    def _version(
        self, seen: Sighting, outcome: Outcome, detail: str, *, rule: str | None = None, transform: str | None = None
    ) -> Version:
        manifest = self.manifest
        return Version(
            feed=self.search.log.feed,
            batch=manifest.offset,
            kind=manifest.kind,
            at=manifest.created_at,
            run=manifest.token,
            seen=seen,
            outcome=outcome,
            detail=detail,
            rule=rule,
            transform=transform,
            first=self._first_read(),
        )

    def _first_read(self) -> tuple[str, Offset] | None:
        """When the rows of a replay landed first, and with which batch."""
        if self.manifest.kind != "replay":
            return None
        log, epoch = self.search.log, self.manifest.epoch
        first = log.manifest(epoch, Replays(log, epoch).read_by(self.manifest.sequence))
        return first.created_at, first.offset

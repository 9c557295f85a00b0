"""Validate: judge every landed batch that has no verdict, in order.

A batch that the gate holds stays landed and blocks the batches behind it, so
that order is kept; the next run judges it anew. Nothing is loaded here.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING

from platform_pipelines.engine import approval
from platform_pipelines.engine.keyless import refuse_keyless
from platform_pipelines.engine.observations import remember
from platform_pipelines.engine.profiling import profile_of
from platform_pipelines.engine.report import Validated, figures
from platform_pipelines.errors import GateClosed
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.spec.nearest import allowed
from platform_pipelines.sql.columnnames import check_names
from platform_pipelines.store.passed import passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.judging import Judged
    from platform_pipelines.model import Decision, Feed
    from platform_pipelines.outcomes import RuleOutcome, TransformOutcome
    from platform_pipelines.store import FeedLog, Manifest

_log = logging.getLogger(__name__)


def validate(context: Context, feed: Feed, decision: Decision | None = None) -> Validated:
    """Judge the feed's landed batches.

    Args:
        context: the run.
        feed: whose batches.
        decision: lets the held batch through (``release``) or drops it to the
            dead letters (``discard``); batches behind it are judged as usual.

    Raises:
        GateClosed: a batch was held; ``error.validated`` has every rule's outcome.
        SchemaDrift: the schema contract refuses a change.
        InvalidData: a required transform failed.
    """
    started = time.monotonic()
    log = context.log(feed)
    context.judged.append(feed)
    total = Validated(feed)
    rows: list[RowFiles] = []
    with log.lock(context.token):
        log.sweep()
        approval.tidy(context, feed)
        for manifest in _unjudged(log):
            given = approval.Ruling(decision) if decision else approval.ruling(context, manifest)
            judged = _judged(context, log, manifest, given)
            if judged.asks:
                judged = _asked(context, judged, feed)
            total = _add(total, judged, of_rows=manifest.kind != "deletes")
            if judged.verdict.status == "held":
                log.hold(judged.verdict)
                total = dataclasses.replace(total, held=judged.verdict.reason, seconds=time.monotonic() - started)
                context.record("validated", _entry(total))
                raise GateClosed(_closed(context, manifest, judged.verdict.reason), total)
            if manifest.kind != "deletes":
                check_names(judged.verdict.schema.names if judged.verdict.schema else ())
                refuse_keyless(context, log, judged.verdict)
            judged.agree(context)  # before the seal: behind it, nobody would come back for it after a crash
            log.seal(judged.verdict)
            approval.settled(context, manifest)
            remember(context, manifest, judged.verdict, judged.figures)
            rows.append(passed(log, judged.verdict))
            decision = None
    _look_for_deletes(context, total)
    total = dataclasses.replace(
        total, profile=profile_of(context, RowFiles.joined(rows)), seconds=time.monotonic() - started
    )
    context.record("validated", _entry(total))
    return total


def _judged(context: Context, log: FeedLog, manifest: Manifest, given: approval.Ruling | None) -> Judged:
    from platform_pipelines.engine.judging import judge_batch  # a run that finds nothing new does without all of it

    return judge_batch(context, log, manifest, given)


def _look_for_deletes(context: Context, total: Validated) -> None:
    """Warn where rows lack the column that tells deleted ones: it may be misspelt, or a transform leaves it out."""
    deletes = context.pipeline.source.deletes
    if deletes is None or deletes.field is None or total.schema is None or not total.rows_out:
        return
    if deletes.field not in total.schema.names:
        _log.warning(
            "Pipeline `%s`: the rows to load have no column `%s`, by which `deletes` tells deleted rows, so none is "
            "taken for deleted. %s",
            context.pipeline.name,
            deletes.field,
            allowed(deletes.field, total.schema.names).replace("Allowed", "Columns"),
        )


def _asked(context: Context, judged: Judged, feed: Feed) -> Judged:
    """The batch held for its score, with what a person can do in its reason."""
    verdict = judged.verdict
    reason = f"{verdict.reason} {approval.ask(context, verdict, feed)}"
    return dataclasses.replace(judged, verdict=dataclasses.replace(verdict, reason=reason))


def _unjudged(log: FeedLog) -> Iterator[Manifest]:
    epoch = log.live_epoch()
    if epoch is None:
        return
    sealed = log.sealed(epoch)
    for sequence in log.sequences(epoch):
        if sequence not in sealed:
            yield log.manifest(epoch, sequence)


def _closed(context: Context, manifest: Manifest, reason: str) -> str:
    name = context.pipeline.name
    return (
        f"The gate of `{name}` closed on batch {manifest.epoch}/{manifest.sequence} of {manifest.feed.key}: {reason} "
        "No destination was touched. Mend the rules and run again, or the source and run with `--full-refresh`, or let "
        f"the batch through with `pipelines run {name}{manifest.feed.option} --release`, or drop it with `--discard`."
    )


def _add(total: Validated, judged: Judged, *, of_rows: bool) -> Validated:
    verdict = judged.verdict
    return dataclasses.replace(
        total,
        batches=total.batches + 1,
        rows_in=total.rows_in + verdict.rows_in,
        rows_out=total.rows_out + verdict.rows_out,
        filtered=total.filtered + verdict.filtered,
        rejected=total.rejected + verdict.rejected,
        flagged=total.flagged + verdict.flagged,
        rules=_merge_rules(total.rules, verdict.rules),
        transforms=_merge_transforms(total.transforms, verdict.transforms),
        score=min(total.score, verdict.score),
        bytes=total.bytes + sum(file.bytes for file in verdict.files),
        schema=verdict.schema if verdict.schema is not None and of_rows else total.schema,
        sample=total.sample or judged.sample,
    )


def _merge_rules(before: tuple[RuleOutcome, ...], now: tuple[RuleOutcome, ...]) -> tuple[RuleOutcome, ...]:
    known = {rule.id: rule for rule in before}
    for rule in now:
        old = known.get(rule.id)
        known[rule.id] = (
            rule
            if old is None
            else dataclasses.replace(
                rule,
                failed=old.failed + rule.failed,
                checked=old.checked + rule.checked,
                detail=rule.detail if rule.failed or not old.failed else old.detail,
                sample=(old.sample + rule.sample)[:10],
            )
        )
    return tuple(known.values())


def _merge_transforms(
    before: tuple[TransformOutcome, ...], now: tuple[TransformOutcome, ...]
) -> tuple[TransformOutcome, ...]:
    known = {item.label: item for item in before}
    for item in now:
        old = known.get(item.label)
        known[item.label] = (
            item
            if old is None
            else dataclasses.replace(
                item,
                rows_in=old.rows_in + item.rows_in,
                rows_out=old.rows_out + item.rows_out,
                seconds=old.seconds + item.seconds,
                error=item.error or old.error,
                dropped=old.dropped + item.dropped,
                added=old.added + item.added,
                rejected=old.rejected + item.rejected,
                skipped=old.skipped + item.skipped,
                note="; ".join(dict.fromkeys(note for note in (old.note, item.note) if note)),
            )
        )
    return tuple(known.values())


def _entry(total: Validated) -> dict[str, object]:
    return {
        "partition": total.feed.key,
        "batches": total.batches,
        "rows_in": total.rows_in,
        "rows_out": total.rows_out,
        "filtered": total.filtered,
        "rejected": total.rejected,
        "flagged": total.flagged,
        "held": total.held,
        "seconds": round(total.seconds, 3),
        "score": round(total.score, 6),
        "rules": {rule.id: rule.failed for rule in total.rules},
        "transforms": figures(total.transforms),
        **({"profile": [column.to_json() for column in total.profile]} if total.profile else {}),
    }

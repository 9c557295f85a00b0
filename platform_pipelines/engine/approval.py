"""A person is asked before a batch of a low quality score is loaded.

Below ``quality.approval.min_score`` a batch is held like one that the gate closed
on. A person lets it through, or the deadline passes; the next run acts on that.
An answer is about the score alone: a gate that closes on the batch still does.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from platform_pipelines.engine.context import stamp, utc_now
from platform_pipelines.engine.extract import ANEW, rereads
from platform_pipelines.engine.report import Landed
from platform_pipelines.errors import UsageError
from platform_pipelines.model import Feed, Offset
from platform_pipelines.store.approvals import Answer, Request

if TYPE_CHECKING:
    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Decision
    from platform_pipelines.spec import QualitySpec
    from platform_pipelines.store import FeedLog, Manifest, Verdict


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a batch whatever its rules say.

    Attributes:
        decision: ``release`` past gate and score, ``approve`` past the score alone, ``discard``.
        reason: who or what decided; empty for a decision of this run's caller.
    """

    decision: Decision | Literal["approve"]
    reason: str = ""


def too_low(quality: QualitySpec, score: float) -> str | None:
    """Why a batch of this score needs a person; None if it does not."""
    approval = quality.approval
    if approval is None or score >= approval.min_score:
        return None
    return f"The quality score {score:.4g} is below `quality.approval.min_score` {approval.min_score:g}."


def ask(context: Context, verdict: Verdict, feed: Feed) -> str:
    """Put the request on a held batch; returns how and until when a person may answer."""
    approval = context.pipeline.quality.approval
    assert approval is not None  # noqa: S101 - the batch is held by it
    now = utc_now()
    until = None if approval.deadline is None else (now + dt.timedelta(seconds=approval.deadline)).isoformat()
    request = Request(
        partition=feed.partition,
        epoch=verdict.epoch,
        sequence=verdict.sequence,
        score=verdict.score,
        min_score=approval.min_score,
        asked_at=now.isoformat(),
        deadline=until,
        unanswered=approval.unanswered,
        tokens=(context.token,),
    )
    put = context.project.store.approvals(context.pipeline.name).ask(feed, request)
    ending = {"discard": "it is discarded", "release": "it is loaded"}[put.unanswered]
    limit = f" Without an answer by {put.deadline[:19]}Z {ending}." if put.deadline else ""
    return f"It waits for `pipelines approve {context.pipeline.name} {put.tokens[0]}`.{limit}"


def ruling(context: Context, manifest: Manifest) -> Ruling | None:
    """What was answered about a batch, or what its deadline says; None while it waits, or was never asked about."""
    if context.pipeline.quality.approval is None:
        return None
    log = context.project.store.approvals(context.pipeline.name)
    request = log.find(manifest.feed, manifest.offset)
    return None if request is None else _ruling(request)


def instead_of_reading(context: Context, log: FeedLog) -> Landed | None:
    """What a run lands that leaves the source alone; None where it is to read.

    A pipeline that reads everything each time would begin an epoch, and the approved batch be
    dropped unloaded. The run that follows loads it instead; the one behind that reads again.
    """
    if context.pipeline.quality.approval is None or context.full_refresh or not rereads(context.pipeline):
        return None
    live = log.live_epoch()
    if live is None or any(log.epoch_info(epoch).get("reason") != ANEW for epoch in log.epochs() if epoch > live):
        return None  # a reset, or a full refresh that somebody asked for, is under way
    return _unmoved(log, live) if _is_next(context, log, live) else None


def settled(context: Context, manifest: Manifest) -> None:
    """Forget the request on a batch that has a verdict now."""
    if context.pipeline.quality.approval is not None:
        context.project.store.approvals(context.pipeline.name).close(manifest.feed, manifest.offset)


def tidy(context: Context, feed: Feed) -> None:
    """Forget requests that a killed run left behind its verdict, or that a new epoch overtook; with the lock held."""
    if context.pipeline.quality.approval is None:
        return
    log = context.project.store.approvals(context.pipeline.name)
    log.sweep()
    for request in log.requests():
        if request.partition == feed.partition and not _is_held(context.project, context.pipeline.name, request):
            log.close(feed, request.offset)


def waiting(project: Project, name: str) -> list[Request]:
    """Batches of a pipeline that were held for their score and have no verdict yet, oldest first.

    Raises:
        UsageError: no such pipeline.
    """
    project.pipeline(name)
    return [request for request in project.store.approvals(name).requests() if _is_held(project, name, request)]


def decided(project: Project, name: str) -> list[Request]:
    """Those of :func:`waiting` on which the next run will act: answered, or past their deadline."""
    return [request for request in waiting(project, name) if _ruling(request) is not None]


def approve(project: Project, name: str, token: str, *, by: str, partition: str | None = None) -> list[Request]:
    """Let the batches through that a run held for their score; the next run loads them.

    Args:
        project: the project.
        name: the pipeline.
        token: of a run that held them.
        by: who says so, for the record.
        partition: only this partition's batch.

    Returns:
        What was approved, with the answer.

    Raises:
        UsageError: no such pipeline; nothing waits under that token; it was answered, or its deadline has passed.
    """
    held = waiting(project, name)
    asked = [request for request in held if token in request.tokens]
    asked = [request for request in asked if partition is None or request.partition == partition]
    if not asked:
        known = ", ".join(dict.fromkeys(each for request in held for each in request.tokens[-1:]))
        which = f" in partition {partition}" if partition is not None else ""
        waits = f"Waiting are batches of the runs {known}" if known else "None of its batches waits for approval"
        msg = f"Run `{token}` has no batch of `{name}`{which} that waits for approval. {waits}."
        raise UsageError(msg)
    log, answer = project.store.approvals(name), Answer(by, stamp())
    for request in asked:
        if request.answer is None and request.expired(utc_now()):
            late = f"The deadline {request.deadline} has passed"
            msg = f"{late}; the next run of `{name}` acts on it: {request.unanswered}."
            raise UsageError(msg)
        if not log.answer(Feed(name, request.partition), request.offset, answer):
            msg = f"Run `{token}` was approved before. The next run loads its batch: `pipelines run {name}`."
            raise UsageError(msg)
    return [replace(request, answer=answer) for request in asked]


def _is_next(context: Context, log: FeedLog, epoch: int) -> bool:
    """Whether the batch that all others of the epoch wait for was let through, and not held since."""
    sequence = min(set(log.sequences(epoch)) - log.sealed(epoch), default=None)
    if sequence is None:
        return False
    request = context.project.store.approvals(context.pipeline.name).find(log.feed, Offset(epoch, sequence))
    given = None if request is None else _ruling(request)
    if request is None or given is None or given.decision != "approve":
        return False
    note, since = log.held(epoch), request.answer.at if request.answer else request.deadline
    # a gate that closed on it in spite of its approval would close again: what the source has now may be mended
    return note is None or since is None or _instant(note.created_at) <= _instant(since)


def _unmoved(log: FeedLog, epoch: int) -> Landed:
    last = log.last(epoch)
    watermark = last.watermark if last else None
    return Landed(log.feed, watermark_from=watermark, watermark_to=watermark)


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _ruling(request: Request) -> Ruling | None:
    if request.answer is not None:
        return Ruling("approve", f"approved by {request.answer.by} at {request.answer.at}")
    if not request.expired(utc_now()):
        return None
    happens: Literal["approve", "discard"] = "approve" if request.unanswered == "release" else "discard"
    return Ruling(happens, f"nobody answered by {request.deadline}: {request.unanswered}")


def _is_held(project: Project, name: str, request: Request) -> bool:
    log = project.store.feed(Feed(name, request.partition))
    return log.live_epoch() == request.epoch and request.sequence not in log.sealed(request.epoch)

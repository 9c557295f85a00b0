"""Land: read a source once and commit what it gave, in batches, to the log.

Transforms, rules and destinations come later and never ask the source. How pages
become batches is left to ``batching``.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from platform_pipelines.connectors.base import Source
from platform_pipelines.engine import approval
from platform_pipelines.engine.askedwindow import blaming_who_wrote_it
from platform_pipelines.engine.batching import Landing
from platform_pipelines.engine.extract import decide
from platform_pipelines.engine.masking import LandingMask
from platform_pipelines.engine.report import Landed
from platform_pipelines.engine.vanished import land_deletes, with_deletes
from platform_pipelines.errors import DeletesRefused, SpecError, StartOver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.extract import Extract
    from platform_pipelines.model import Feed
    from platform_pipelines.store import FeedLog


def land(context: Context, feeds: Sequence[Feed]) -> list[Landed]:
    """Read each feed from its watermark on and commit what is new.

    Raises:
        ConnectError: the source cannot be reached.
        FeedBusy: another run holds a feed.
        CursorError: the cursor is missing, NULL where it must not be, or of a new type.
        InvalidData: the stream cannot be read as declared.
        DeletesRefused: more keys are gone at the source than may be deleted.
    """
    return [_land_feed(context, feed) for feed in feeds]


def _land_feed(context: Context, feed: Feed) -> Landed:
    started = time.monotonic()
    log = context.log(feed)
    with log.lock(context.token):
        log.sweep()
        try:
            landed = approval.instead_of_reading(context, log) or _extracted(context, log)
        except DeletesRefused as refused:
            if isinstance(refused.landed, Landed):  # what was read before is landed all the same
                refused.landed = _recorded(context, refused.landed, started)
            raise
    return _recorded(context, landed, started)


def _recorded(context: Context, landed: Landed, started: float) -> Landed:
    result = dataclasses.replace(landed, seconds=time.monotonic() - started)
    context.record("landing", result.to_entry())
    return result


def _extracted(context: Context, log: FeedLog) -> Landed:
    extract = decide(context, log)
    source = readable(context)
    with blaming_who_wrote_it(context, extract.watermark):
        try:
            landing, landed = _read(context, log, extract, source, restartable=extract.resume is None)
        except StartOver:
            landing, landed = _read(context, log, extract, source, restartable=False)
    try:
        return with_deletes(landed, land_deletes(context, log, extract, source, landing.owed))
    except DeletesRefused as refused:
        refused.landed = landed
        raise


def _read(
    context: Context, log: FeedLog, extract: Extract, source: Source, *, restartable: bool
) -> tuple[Landing, Landed]:
    """Read all pages into the log; whatever ends it early leaves only what was committed."""
    landing, mask = Landing(context, log, extract), LandingMask(context.pipeline)
    stream = dataclasses.replace(extract.stream, restartable=restartable)
    try:
        for page in mask.pages(lambda: source.read(stream, extract.window, extract.resume)):
            landing.take(page)
        return landing, dataclasses.replace(landing.finish(), transforms=mask.outcomes)
    except BaseException:
        landing.abort()
        raise


def readable(context: Context) -> Source:
    """The pipeline's source.

    Raises:
        SpecError: its connector is a destination only.
    """
    source = context.source
    if not isinstance(source, Source):
        msg = f"Connector `{context.pipeline.source.connector}` cannot be read: it is a destination only."
        raise SpecError(msg, file=context.pipeline.file, line=context.pipeline.line)
    return source

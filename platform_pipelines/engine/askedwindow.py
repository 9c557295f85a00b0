"""The cursor window that a person asks to have read again: `--from A --to B` of a pipeline without partitions.

What a person writes is refused as bad usage, before anything is read where the
log knows the cursor's type; ranges of partitions are left to ``scope``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn
from zoneinfo import ZoneInfo

from platform_pipelines.engine.window import instant, written
from platform_pipelines.errors import BoundMismatch, CursorError, SpecError, UsageError
from platform_pipelines.model import Feed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.request import RunRequest
    from platform_pipelines.engine.told import Told
    from platform_pipelines.spec import PipelineSpec

_TIMES = frozenset({"date", "timestamp", "timestamptz"})
_NUMBERS = frozenset({"int", "decimal", "float"})


def resolve_window(spec: PipelineSpec, request: RunRequest, told: Told) -> tuple[str, str] | None:
    """The cursor window [A, B) to read again; None for an ordinary read.

    Raises:
        UsageError: the pipeline has no cursor to bound, A and B are no values of it or not in order, or a destination
            would double rows.
    """
    begin, end = request.window_from, request.window_to
    if begin is None or end is None or spec.partitions is not None:
        return None
    _check_pipeline(spec, request)
    digest = told.digests.get(Feed(spec.name))
    like = digest.watermark if digest else None
    if not _in_order(spec, _bound("--from", begin, like), _bound("--to", end, like)):
        raise UsageError(empty_range(begin, end))
    return begin, end


def empty_range(begin: str, end: str) -> str:
    """What is wrong with a range that ends where it begins, or before."""
    return f"The range [{begin}, {end}) holds nothing: `--from` is inclusive, `--to` is exclusive and must be later."


@contextlib.contextmanager
def blaming_who_wrote_it(context: Context, watermark: Cursor | None) -> Iterator[None]:
    """Turn a bound that the cursor field does not compare with into what has to be mended.

    Args:
        context: the run; its window, or else ``cursor.initial``, gave the bound.
        watermark: of the feed; where there is one, the bound is of its type, and the source has changed.

    Raises:
        UsageError: a person gave the bound with `--from` and `--to`.
        SpecError: it is ``cursor.initial``.
    """
    try:
        yield
    except BoundMismatch as error:
        if watermark is None:
            _blame(context, error)
        raise


def _blame(context: Context, error: BoundMismatch) -> NoReturn:
    spec = context.pipeline
    if context.window is not None:
        msg = (
            f"{error.what} Give `--from` and `--to` as values of the cursor, such as the watermark that "
            f"`pipelines state {spec.name}` shows after a run."
        )
        raise UsageError(msg) from error
    msg = f"{error.what} Mend `cursor.initial` of pipeline `{spec.name}`, or leave it out to read all rows."
    raise SpecError(msg, file=spec.file, line=spec.line) from error


def _check_pipeline(spec: PipelineSpec, request: RunRequest) -> None:
    if spec.source.mode != "incremental" or spec.source.cursor is None:
        msg = (
            f"Pipeline `{spec.name}` reads everything each time (mode {spec.source.mode}); `--from/--to` needs "
            "partitions by time or `mode: incremental` with a cursor."
        )
        raise UsageError(msg)
    if request.only not in {None, "landing"}:
        msg = (
            f"`--from/--to` reads rows again, which is a matter of the stage `landing`; it does not go with "
            f"`--only {request.only}` on a pipeline without partitions. Leave one of the two out."
        )
        raise UsageError(msg)
    appending = [d.name for d in spec.destinations if d.mode == "append"]
    if appending:
        msg = (
            f"Reading a window again would double rows in {', '.join(appending)} (mode append). "
            "Use mode merge with a key, or start over with `--full-refresh`."
        )
        raise UsageError(msg)


def _bound(option: str, text: str, like: Cursor | None) -> Cursor:
    try:
        return written(text, like)
    except CursorError as error:
        msg = f"`{option}`: {error}"
        raise UsageError(msg) from error


def _in_order(spec: PipelineSpec, begin: Cursor, end: Cursor) -> bool:
    """Whether the range holds anything.

    Raises:
        UsageError: the two do not compare.
    """
    kinds = {begin.kind, end.kind}
    if kinds <= _TIMES:
        zone = ZoneInfo((spec.source.cursor.timezone if spec.source.cursor else None) or "UTC")
        return instant(begin, zone) < instant(end, zone)
    if len(kinds) == 1 or kinds <= _NUMBERS:
        return bool(begin.order < end.order)
    msg = (
        f"`--from {begin.text}` reads as {begin.kind}, `--to {end.text}` as {end.kind}: they do not compare. "
        "Write both as values of the cursor, such as 2026-01-31, 2026-01-31T13:45:00Z or 42."
    )
    raise UsageError(msg)

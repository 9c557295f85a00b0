"""Reconciliation: row counts and sums at the source against those at a destination, after a load.

Both sides are asked the same question about the same rows: the feed's partition,
and of an incremental read what lies below the watermark that the destination has
reached, for above it the source may have moved on. What cannot be asked counts
as a failure of the rule and never undoes the load.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from platform_pipelines.connectors.base import Countable
from platform_pipelines.engine.extract import expected_stream, tracked_cursor
from platform_pipelines.engine.window import written
from platform_pipelines.errors import PipelinesError, SpecError, Unreconciled
from platform_pipelines.model import Stream, Window
from platform_pipelines.outcomes import RuleOutcome
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.report import Loaded
    from platform_pipelines.model import Feed, Offset
    from platform_pipelines.spec import DestinationSpec
    from platform_pipelines.spec.rules import Reconciliation
    from platform_pipelines.sql.totals import Totals
    from platform_pipelines.store import FeedLog, Manifest

#: relative difference up to which sums of floats are equal: their last digits depend on the order of the rows
_FLOAT = 1e-9


def reconcile(
    context: Context, feed: Feed, destination: DestinationSpec, offset: Offset | None
) -> tuple[RuleOutcome, ...]:
    """The outcomes of the rules that compare a destination with the source.

    Args:
        context: the run.
        feed: the partition to compare.
        destination: whose table.
        offset: what it has loaded of the feed.
    """
    rules = context.pipeline.quality.at_destination(destination.name)
    return tuple(_outcome(context, feed, destination, offset, rule) for rule in rules)


def unreconciled(loaded: Loaded) -> Unreconciled | None:
    """The error of a load after which a rule of severity error found a difference."""
    failed = [rule for rule in loaded.reconciled if rule.severity == "error" and not rule.passed]
    if not failed:
        return None
    details = " ".join(rule.detail for rule in failed)
    return Unreconciled(f"The rows of {loaded.feed.id} are loaded into `{loaded.destination}`, but {details}")


def differences(source: Totals, loaded: Totals, rule: Reconciliation) -> Iterator[str]:
    """The figures in which two systems differ by more than the rule tolerates, in words."""
    figures: list[tuple[str, Decimal | float, Decimal | float]] = []
    figures.append(("rows", Decimal(source.rows), Decimal(loaded.rows)))
    figures += [(f"sum of {name}", source.sums[name], loaded.sums[name]) for name in rule.sums]
    for name, there, here in figures:
        if not _alike(there, here, rule):
            yield f"{name}: {_shown(there)} at the source, {_shown(here)} loaded"


def _outcome(
    context: Context, feed: Feed, destination: DestinationSpec, offset: Offset | None, rule: Reconciliation
) -> RuleOutcome:
    if offset is None:
        return RuleOutcome(rule.id, rule.type, rule.severity, 0, 0, "Nothing is loaded yet.")
    log = context.log(feed)
    manifest = log.manifest(offset.epoch, offset.sequence)
    window = _window(context, feed, manifest)
    place = f"`{destination.name}`" + (f", partition {feed.partition}" if feed.partition is not None else "")
    try:
        there = _ask(
            context.source, context.pipeline.source.connector, expected_stream(context, manifest), window, rule
        )
        table = Stream(destination.table)
        here = _ask(context.connector(destination.connector), destination.connector, table, window, rule)
    except PipelinesError as error:
        detail = f"{rule.id} could not compare the source with {place}: {mask(str(error))}"
        return RuleOutcome(rule.id, rule.type, rule.severity, 1, 1, detail)
    found = "; ".join(differences(there, here, rule))
    if not found:
        detail = f"{there.rows:,} rows at the source, {here.rows:,} in {place}."
        return RuleOutcome(rule.id, rule.type, rule.severity, 0, 1, detail)
    rejected = _rejected(log, offset)
    dead = f" {rejected:,} records of it were rejected." if rejected else ""
    return RuleOutcome(rule.id, rule.type, rule.severity, 1, 1, f"{rule.id} differs in {place}: {found}.{dead}")


def _ask(connector: Connector, name: str, stream: Stream, window: Window, rule: Reconciliation) -> Totals:
    if not isinstance(connector, Countable):
        msg = f"Connector `{name}` (type {connector.type}) cannot tell how many rows and which sums it holds."
        raise SpecError(msg)
    return connector.totals(stream, window, rule.sums)


def _window(context: Context, feed: Feed, manifest: Manifest) -> Window:
    """The rows that both sides are to agree on."""
    spec = context.pipeline
    partition = spec.partitions.slice(feed.key) if spec.partitions else None
    cursor = spec.source.cursor
    if tracked_cursor(spec) is None or cursor is None:
        return Window(partition=partition)
    return Window(
        field=cursor.field,
        low=None if cursor.initial is None else written(cursor.initial, manifest.watermark),
        high=manifest.watermark,
        timezone=cursor.timezone,
        on_missing=cursor.on_missing,
        partition=partition,
    )


def _alike(there: Decimal | float, here: Decimal | float, rule: Reconciliation) -> bool:
    if isinstance(there, float) or isinstance(here, float):
        there, here = float(there), float(here)
        if math.isnan(there) and math.isnan(here):
            return True
        allowed = max(rule.tolerance, rule.tolerance_share * abs(there))
        return math.isclose(there, here, rel_tol=_FLOAT, abs_tol=allowed)
    if there == here or (there.is_nan() and here.is_nan()):
        return True
    if not (there.is_finite() and here.is_finite()):
        return False
    share = Decimal(repr(rule.tolerance_share)) * abs(there)
    return abs(there - here) <= max(Decimal(repr(rule.tolerance)), share)


def _shown(value: Decimal | float) -> str:
    return f"{value:,.10g}" if isinstance(value, float) else f"{value:,f}"


def _rejected(log: FeedLog, offset: Offset) -> int:
    verdicts = (log.verdict(offset.epoch, each) for each in log.sealed(offset.epoch) if each <= offset.sequence)
    return sum(verdict.rejected for verdict in verdicts if verdict is not None)

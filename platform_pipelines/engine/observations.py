"""What earlier batches were like: the figures of ``anomaly`` rules, and dead letters by time.

Each batch that got a verdict is one observation; replays and windows read again
are none, for they are not like the others. The history is the pipeline's; only
partitions by value, which differ by nature, have one each.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Feed
    from platform_pipelines.quality.anomaly import History
    from platform_pipelines.spec import PipelineSpec
    from platform_pipelines.store import Manifest, Verdict


def history(context: Context, feed: Feed) -> History:
    """Reads the figures of a feed's earlier batches."""
    log = context.project.store.history(context.pipeline.name)
    group = _group(context.pipeline, feed)

    def read(figure: str, window: int) -> Sequence[float]:
        entries = (entry.get("figures") or {} for entry in log.latest(group))
        found = list(islice((float(each[figure]) for each in entries if figure in each), window))
        return found[::-1]

    return read


def remember(context: Context, manifest: Manifest, verdict: Verdict, figures: Mapping[str, float]) -> None:
    """Keep what a batch was like, if a rule or an alert of the pipeline will ask."""
    quality = context.pipeline.quality
    usual = dict(figures) if manifest.kind == "extract" and verdict.status != "discarded" else {}
    rejected = verdict.rejected if quality.alert is not None and manifest.kind != "replay" else 0
    if usual or rejected:
        body = {"feed": manifest.feed.key, "batch": f"{verdict.epoch}/{verdict.sequence}", "run": verdict.token}
        group = _group(context.pipeline, manifest.feed)
        context.project.store.history(context.pipeline.name).add(
            group, {**body, "figures": usual, "rejected": rejected}
        )


def recent_dead_letters(project: Project, name: str) -> int:
    """Dead letters of the time that ``quality.alert.window`` says, whether or not they were replayed since.

    Raises:
        UsageError: no such pipeline.
    """
    alert = project.pipeline(name).quality.alert
    if alert is None:
        return 0
    since = time.time_ns() - int(alert.window * 1e9)
    return sum(int(entry.get("rejected") or 0) for entry in project.store.history(name).since(since))


def _group(spec: PipelineSpec, feed: Feed) -> str:
    return "all" if spec.partitions is None or spec.time_partitions is not None else feed.folder

"""The gate: whether a judged batch may be loaded.

What becomes of a held batch is left to the engine. A rule on the whole batch
(volume, freshness) of severity error has no row to reject: it closes the gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.quality.judgement import BATCH_RULES

if TYPE_CHECKING:
    from platform_pipelines.quality.judgement import Judgement
    from platform_pipelines.spec.quality import GateSpec


def closes(gate: GateSpec | None, judgement: Judgement) -> str | None:
    """Why the gate closes on a batch, in one sentence; None if it stays open."""
    for rule in judgement.rules:
        if rule.type in BATCH_RULES and rule.severity == "error" and rule.failed:
            return f"Rule `{rule.id}` failed for the whole batch: {rule.detail}"
    if gate is None or not judgement.rejected:
        return None
    rejected, rows = judgement.rejected, judgement.rows_in
    share = rejected / rows if rows else 1.0
    if gate.max_rejected is not None and rejected > gate.max_rejected:
        return (
            f"{rejected:,} of {rows:,} rows were rejected ({share:.2%}); "
            f"`quality.gate.max_rejected` allows {gate.max_rejected:,}."
        )
    if gate.max_rejected_share is not None and share > gate.max_rejected_share:
        return (
            f"{rejected:,} of {rows:,} rows were rejected ({share:.2%}); "
            f"`quality.gate.max_rejected_share` allows {gate.max_rejected_share:.2%}."
        )
    return None

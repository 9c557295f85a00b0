"""What the rules found in one batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from platform_pipelines.outcomes import RuleOutcome

#: rules on the whole batch: they fail once or not at all, and reject no row
BATCH_RULES = frozenset({"volume", "freshness", "anomaly", "schema_batch", "pandera_batch"})


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one batch.

    Attributes:
        rows_in: rows judged.
        good: rows that failed no rule of severity error.
        rejected: rows that failed at least one; ``rows_in = good + rejected``.
        flagged: good rows that failed at least one rule of severity warning.
        rules: one outcome for each rule, in the order of the YAML.
        score: 0 to 1: the mean over all rules but those of severity info of the
            share of rows that passed; 1 where there is no rule or no row.
        schema: Arrow schema of the good rows.
        figures: what ``anomaly`` rules measured, by figure.
    """

    rows_in: int
    good: int
    rejected: int
    flagged: int
    rules: tuple[RuleOutcome, ...]
    score: float
    schema: pa.Schema
    figures: Mapping[str, float] = field(default_factory=dict)


def score(rules: tuple[RuleOutcome, ...]) -> float:
    """See :class:`Judgement`."""
    shares = [1 - rule.failed / rule.checked for rule in rules if rule.severity != "info" and rule.checked]
    return sum(shares) / len(shares) if shares else 1.0

"""The ``anomaly`` rule: a figure of a batch against the band of the same figure in earlier batches.

The band is ``median ± k · s`` with a robust standard deviation ``s`` (Iglewicz
and Hoaglin, How to Detect and Handle Outliers, 1993):

- ``s = 1.4826 · MAD``, the median absolute deviation from the median;
- where more than half of the figures are equal, so that MAD is 0,
  ``s = 1.2533 · mean absolute deviation`` from the median;
- at least 1 % of the median, of a share at least one percentage point: figures
  that never changed must not make every change an anomaly.

Both factors make ``s`` the standard deviation where figures are normally
distributed. Where the history is kept is left to the engine.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from platform_pipelines.duck import quote
from platform_pipelines.outcomes import RuleOutcome
from platform_pipelines.relations import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from platform_pipelines.spec.rules import Anomaly

_MAD, _MEAN = 1.4826, 1.2533
#: the narrowest deviation, as a share of the median; of shares, as it is
_FLOOR = 0.01


class History(Protocol):
    """Reads what earlier batches were like."""

    def __call__(self, figure: str, window: int) -> Sequence[float]:
        """The last ``window`` values of a figure at most, oldest first."""


@dataclass(frozen=True, slots=True)
class Band:
    """What is usual.

    Attributes:
        median: of the history.
        low: the lowest usual value.
        high: the highest usual value.
    """

    median: float
    low: float
    high: float


def band(history: Sequence[float], deviations: float, *, share: bool) -> Band:
    """The band of a history.

    Args:
        history: earlier values, at least one.
        deviations: k, half the width of the band in robust standard deviations.
        share: whether the values are shares, 0 to 1.
    """
    median = statistics.median(history)
    distances = [abs(value - median) for value in history]
    spread = _MAD * statistics.median(distances) or _MEAN * statistics.fmean(distances)
    half = deviations * max(spread, _FLOOR if share else _FLOOR * abs(median))
    return Band(median, max(0.0, median - half), min(1.0, median + half) if share else median + half)


def measure(connection: duckdb.DuckDBPyConnection, relation: str, rules: Sequence[Anomaly]) -> dict[str, float]:
    """The figures that the rules are about: ``{figure: value}``.

    The share of NULLs is 0 in a batch without rows; NULL is no distinct value.
    """
    asked = {rule.figure: rule for rule in rules}
    rows = count(connection, relation) if asked else 0
    found = {figure: float(rows) for figure, rule in asked.items() if rule.metric == "rows"}
    wanted = {
        figure: f"count({'distinct ' if rule.metric == 'distinct' else ''}{quote(rule.field or '')})"
        for figure, rule in asked.items()
        if rule.metric != "rows"
    }
    if wanted:
        row = connection.execute(f"select {', '.join(wanted.values())} from {quote(relation)}").fetchone() or ()
        for figure, value in zip(wanted, row, strict=True):
            shares = asked[figure].metric == "null_share"
            found[figure] = ((rows - value) / rows if rows else 0.0) if shares else float(value)
    return found


def outcomes(rules: Sequence[Anomaly], figures: Mapping[str, float], history: History) -> list[RuleOutcome]:
    """Whether each figure is usual; passed without a check while too little is known."""
    return [_outcome(rule, figures[rule.figure], history(rule.figure, rule.window)) for rule in rules]


def _outcome(rule: Anomaly, value: float, history: Sequence[float]) -> RuleOutcome:
    share = rule.metric == "null_share"
    name = rule.metric if rule.field is None else f"{rule.metric} of {rule.field}"
    if len(history) < rule.min_history:
        detail = f"{name} is {_shown(value, share=share)}; {len(history)} of {rule.min_history} earlier batches known."
        return RuleOutcome(rule.id, rule.type, rule.severity, 0, 0, detail)
    usual = band(history, rule.deviations, share=share)
    low, high, median = (_shown(each, share=share) for each in (usual.low, usual.high, usual.median))
    detail = (
        f"{name} is {_shown(value, share=share)}; usual is {low} to {high} "
        f"(median {median} of {len(history)} batches, k = {rule.deviations:g})."
    )
    failed = not usual.low <= value <= usual.high
    return RuleOutcome(rule.id, rule.type, rule.severity, int(failed), 1, detail)


def _shown(value: float, *, share: bool) -> str:
    return f"{value:.2%}" if share else f"{value:,.6g}" if value % 1 else f"{value:,.0f}"

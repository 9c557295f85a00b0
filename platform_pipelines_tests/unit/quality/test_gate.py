from __future__ import annotations

import pyarrow as pa
import pytest

from platform_pipelines.outcomes import RuleOutcome
from platform_pipelines.quality.gate import closes
from platform_pipelines.quality.judgement import Judgement, score
from platform_pipelines.spec.quality import GateSpec


def judged(rejected: int, rows: int = 1000, *rules: RuleOutcome) -> Judgement:
    return Judgement(rows, rows - rejected, rejected, 0, rules, 1.0, pa.schema([]))


@pytest.mark.parametrize(
    ("gate", "rejected", "reason"),
    [
        (None, 1000, None),
        (GateSpec(max_rejected=10), 10, None),
        (
            GateSpec(max_rejected=10),
            11,
            "11 of 1,000 rows were rejected (1.10%); `quality.gate.max_rejected` allows 10.",
        ),
        (GateSpec(max_rejected_share=0.01), 10, None),
        (
            GateSpec(max_rejected_share=0.01),
            11,
            "11 of 1,000 rows were rejected (1.10%); `quality.gate.max_rejected_share` allows 1.00%.",
        ),
        (GateSpec(max_rejected=0), 0, None),
    ],
)
def test_gate_closes_above_its_limits(gate: GateSpec | None, rejected: int, reason: str | None) -> None:
    assert closes(gate, judged(rejected)) == reason


def test_rule_on_the_whole_batch_closes_the_gate_by_error_only() -> None:
    failed = RuleOutcome("volume", "volume", "error", 1, 1, "0 rows; at least 1 are expected.")
    assert closes(None, judged(0, 0, failed)) == (
        "Rule `volume` failed for the whole batch: 0 rows; at least 1 are expected."
    )
    warned = RuleOutcome("volume", "volume", "warning", 1, 1, "")
    assert closes(None, judged(0, 0, warned)) is None


def test_score_is_the_mean_share_of_rows_that_passed() -> None:
    rules = (
        RuleOutcome("a", "range", "error", 50, 100),
        RuleOutcome("b", "volume", "warning", 0, 1),
        RuleOutcome("c", "range", "info", 100, 100),
        RuleOutcome("d", "range", "error", 0, 0),
    )
    assert score(rules) == pytest.approx(0.75)
    assert score(()) == 1.0

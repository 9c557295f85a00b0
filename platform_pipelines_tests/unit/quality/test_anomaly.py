from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.quality.anomaly import band
from platform_pipelines.quality.judge import judge
from platform_pipelines.spec.quality import QualitySpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_pipelines.outcomes import RuleOutcome
    from platform_pipelines.quality.judgement import Judgement
    from platform_pipelines_tests.unit.quality.conftest import Court

ROWS = pa.table({"id": [1, 2, 3, 4], "email": ["a", None, "a", "b"]})


def judged(court: Court, rule: dict[str, Any], known: Sequence[float]) -> Judgement:
    court.connection.register("batch", ROWS)
    return judge(
        court.connection,
        "batch",
        QualitySpec.model_validate({"rules": [{"type": "anomaly", "min_history": 3, **rule}]}),
        cursor=None,
        lookup=court.lookup,
        now=dt.datetime.now(dt.UTC),
        sink_good=lambda _: None,
        sink_bad=lambda _: None,
        history=lambda _, window: known[-window:],
    )


def outcome(court: Court, rule: dict[str, Any], known: Sequence[float]) -> RuleOutcome:
    return judged(court, rule, known).rules[0]


def test_the_band_is_the_median_and_robust_deviations_around_it() -> None:
    # median 10, absolute deviations 2 1 0 1 90: their median is 1
    found = band([8, 9, 10, 11, 100], 3, share=False)
    assert (found.median, found.low, found.high) == pytest.approx((10, 10 - 3 * 1.4826, 10 + 3 * 1.4826))


def test_where_most_are_equal_the_mean_deviation_stands_in() -> None:
    found = band([10, 10, 10, 10, 20], 2, share=False)
    assert (found.low, found.high) == pytest.approx((10 - 2 * 1.2533 * 2, 10 + 2 * 1.2533 * 2))


def test_figures_that_never_changed_leave_room_for_a_little() -> None:
    assert band([1000] * 5, 3, share=False).high == pytest.approx(1030)
    shares = band([0.0] * 5, 3, share=True)
    assert (shares.low, shares.high) == pytest.approx((0, 0.03))


def test_a_share_stays_between_nothing_and_all() -> None:
    found = band([0.1, 0.9, 0.5], 5, share=True)
    assert (found.low, found.high) == (0, 1)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"metric": "rows"}, 4),
        ({"metric": "null_share", "field": "email"}, 0.25),
        ({"metric": "distinct", "field": "email"}, 2),
    ],
)
def test_what_is_measured(court: Court, rule: dict[str, Any], value: float) -> None:
    assert list(judged(court, rule, []).figures.values()) == [value]
    assert outcome(court, rule, [value] * 3).passed
    unusual = outcome(court, rule, [value * 3] * 3)
    assert (unusual.failed, unusual.checked, unusual.severity) == (1, 1, "warning")


def test_too_short_a_history_judges_nothing_and_scores_nothing(court: Court) -> None:
    judgement = judged(court, {"metric": "rows"}, [400, 400])
    assert judgement.rules[0].passed
    assert judgement.rules[0].detail == "rows is 4; 2 of 3 earlier batches known."
    assert judgement.score == 1


def test_sensitivity_is_a_name_or_a_number(court: Court) -> None:
    known = [2, 3, 2, 3, 2.5]
    assert not outcome(court, {"metric": "rows", "sensitivity": "high"}, [*known[:4], 2.4]).passed
    assert outcome(court, {"metric": "rows", "sensitivity": 10}, known).passed


def test_only_the_window_is_looked_at(court: Court) -> None:
    rule = {"metric": "rows", "window": 3}
    assert not outcome(court, rule, [4] * 10 + [40] * 3).passed
    assert outcome(court, rule, [40] * 10 + [4] * 3).passed

"""Counts and sums at the source against those at the destination."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.engine import status
from platform_pipelines.engine.reconciling import differences
from platform_pipelines.spec.rules import Reconciliation
from platform_pipelines.sql.totals import Totals
from platform_pipelines_tests.unit.engine.world import at

if TYPE_CHECKING:
    from platform_pipelines.engine import Project
    from platform_pipelines_tests.unit.engine.world import World


def project_of(world: World, *more: dict[str, Any], partitions: Any = None, **rule: Any) -> Project:
    rules = [{"id": "same", "type": "reconciliation", "sums": ["amount"], **rule}, *more]
    target = {"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}
    cut = {"partitions": partitions} if partitions else {}
    return world.project(quality={"rules": rules}, destinations=[target], **cut)


def put(world: World, *amounts: int | None) -> None:
    rows = [{"id": n, "amount": a, "region": "eu" if n % 2 else "us", "at": at(n)} for n, a in enumerate(amounts)]
    world.put(rows)


def test_what_agrees_passes(world: World) -> None:
    put(world, 1, 2, None)
    report = world.run(project_of(world))
    assert (report.status, report.destinations["out"].error) == ("success", None)


def test_what_is_missing_is_told_and_the_rows_stay_loaded(world: World) -> None:
    put(world, 1, None, 3, 4)
    project = project_of(world, {"id": "there", "type": "required", "fields": ["amount"]})
    report = world.run(project)
    assert (report.status, report.exit_code) == ("partial", 1)
    assert report.to_json()["destinations"]["out"] == {
        "status": "failed",
        "rows": 3,
        "error": "The rows of p are loaded into `out`, but same differs in `out`: rows: 3 at the source, 2 loaded. "
        "1 records of it were rejected.",
    }
    assert world.ids() == [0, 2, 3]
    (load,) = (stage for stage in status(project, report.token)[0].stages if stage["stage"] == "load")
    assert load["rules"] == {"same": 1}


def test_a_warning_fails_no_run(world: World) -> None:
    put(world, 1, None, 3, 4)
    project = project_of(world, {"id": "there", "type": "required", "fields": ["amount"]}, severity="warning")
    assert world.run(project).status == "success"


def test_it_is_asked_again_when_nothing_is_new(world: World) -> None:
    put(world, 1, 2, 3)
    project = project_of(world)
    world.run(project)
    rows = [{"id": n, "amount": 50, "region": "eu", "at": at(n)} for n in range(3)]
    world.put(rows, "out")  # somebody changed the destination
    assert world.run(project).status in {"partial", "failed"}


def test_rows_behind_the_watermark_are_no_difference(world: World) -> None:
    put(world, 1, 2, 3)
    project = project_of(world)
    world.run(project, only="landing")
    put(world, 1, 2, 3, 4)
    assert world.run(project, only="validated").status == "success"
    assert world.run(project, only="out").status == "success"


def test_partitions_are_compared_one_by_one(world: World) -> None:
    put(world, 1, None, 3, 4)
    regions = {"by": "value", "field": "region", "values": ["eu", "us"]}
    there = {"id": "there", "type": "required", "fields": ["amount"]}
    report = world.run(project_of(world, there, partitions=regions, tolerance=0))
    assert "`out`, partition eu" in str(report.destinations["out"].error)


@pytest.mark.parametrize(
    ("there", "here", "given", "same"),
    [
        (Decimal("1.10"), Decimal("1.1"), {}, True),
        (Decimal(100), Decimal(99), {}, False),
        (Decimal(100), Decimal(99), {"tolerance": 1}, True),
        (Decimal(100), Decimal(98), {"tolerance": 1, "tolerance_share": 0.02}, True),
        (Decimal(-100), Decimal(-97), {"tolerance_share": 0.02}, False),
        (0.1 + 0.2, 0.3, {}, True),
        (Decimal("0.3"), 0.31, {}, False),
        (Decimal("NaN"), Decimal("NaN"), {}, True),
        (Decimal("NaN"), Decimal(1), {"tolerance": 5}, False),
        (float("nan"), 1.0, {"tolerance": 5}, False),
        (Decimal("Infinity"), Decimal(1), {"tolerance": 5}, False),
    ],
)
def test_figures_are_compared_exactly_but_for_floats(there: Any, here: Any, given: dict[str, Any], same: bool) -> None:  # noqa: FBT001 - a parameter of the test
    rule = Reconciliation.model_validate({"id": "r", "type": "reconciliation", "sums": ["x"], **given})
    found = list(differences(Totals(1, {"x": there}), Totals(1, {"x": here}), rule))
    assert (not found) is same


def test_a_column_that_cannot_be_summed_is_a_failure_with_a_reason(world: World) -> None:
    world.put(pa.table({"id": [1], "amount": ["x"], "at": pa.array([at(1)], pa.timestamp("us", "UTC"))}))
    report = world.run(project_of(world))
    assert "could not compare the source" in str(report.destinations["out"].error)
    assert "only numbers can be summed" in str(report.destinations["out"].error)

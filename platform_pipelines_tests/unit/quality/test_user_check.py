"""A rule may be a pandera Check of the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.errors import SpecError
from platform_pipelines.quality.gate import closes
from platform_pipelines.quality.schema import to_pandera
from platform_pipelines.spec.quality import QualitySpec

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines_tests.unit.quality.conftest import Court

MODULE = """
import pandera.pandas as pandera

is_even = pandera.Check(lambda values: values % 2 == 0)
some_rows = pandera.Check(lambda frame: len(frame) > 100)
number = 7

def positive(values):
    return values > 0

def ordered(frame):
    return frame["a"] <= frame["b"]

def all_of(frame):
    return frame <= 3

strictly = pandera.Check(ordered, ignore_na=False)
"""
ROWS = pa.table({"a": pa.array([1, 2, None, 4], pa.int64()), "b": [2, 2, 2, -2]})


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checks_of_a_user.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


def rule(name: str, field: str | None = "a", **given: Any) -> dict[str, Any]:
    return {"id": "own", "type": "pandera", "check": f"checks_of_a_user:{name}", "field": field, **given}


@pytest.mark.parametrize(
    ("name", "field", "failing"),
    [("is_even", "a", [1]), ("positive", "b", [4]), ("ordered", None, [4])],
)
def test_rows_that_fail_are_rejected(court: Court, name: str, field: str | None, failing: list[int]) -> None:
    judgement = court.judge(ROWS, rule(name, field))
    assert [row["a"] for row in court.bad] == failing
    assert (judgement.rules[0].id, judgement.rules[0].failed) == ("own", len(failing))
    assert court.bad[0]["_pipelines_reason"].endswith(f"fails checks_of_a_user:{name} (rule own)")


def test_severity_is_the_rules(court: Court) -> None:
    judgement = court.judge(ROWS, rule("is_even", severity="warning"))
    assert (judgement.rejected, judgement.flagged) == (0, 1)


def test_a_verdict_on_no_row_closes_the_gate(court: Court) -> None:
    judgement = court.judge(ROWS, rule("some_rows", None))
    assert judgement.rejected == 0
    assert (judgement.rules[0].id, judgement.rules[0].type) == ("own", "pandera_batch")
    assert "Rule `own` failed for the whole batch" in (closes(None, judgement) or "")


@pytest.mark.parametrize(
    ("path", "said"),
    [("checks_of_a_user:number", "which is int"), ("checks_of_a_user:nothing", "has no `nothing`")],
)
def test_what_is_no_check_is_refused(court: Court, path: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        court.judge(ROWS, {"id": "own", "type": "pandera", "check": path, "field": "a"})


def test_it_is_part_of_the_pandera_schema_that_rules_make() -> None:
    schema = to_pandera(QualitySpec.model_validate({"rules": [rule("is_even"), rule("ordered", None, id="order")]}))
    assert [check.name for check in schema.columns["a"].checks] == ["own"]
    assert [check.name for check in schema.checks] == ["order"]


@pytest.mark.parametrize(("name", "failing"), [("ordered", [4]), ("strictly", [None, 4]), ("all_of", [4])])
def test_a_verdict_of_null_passes_unless_the_check_says_otherwise(
    court: Court, name: str, failing: list[int | None]
) -> None:
    court.judge(ROWS, rule(name, None))
    assert [row["a"] for row in court.bad] == failing

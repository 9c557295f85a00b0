from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandera.pandas as pandera
import pyarrow as pa
import pytest

from platform_pipelines.errors import SpecError
from platform_pipelines.quality.gate import closes

if TYPE_CHECKING:
    import pandas as pd

    from platform_pipelines_tests.unit.quality.conftest import Court


class Flights(pandera.DataFrameModel):
    id: int = pandera.Field(ge=0, unique=True)
    name: str = pandera.Field(nullable=True, str_length={"max_value": 3})
    age: float = pandera.Field(in_range={"min_value": 0, "max_value": 150}, raise_warning=True)

    @pandera.dataframe_check
    @classmethod
    def older_than_id(cls, frame: pd.DataFrame) -> Any:
        return frame["age"] >= frame["id"]

    class Config:
        strict = True


COERCING = pandera.DataFrameSchema({"id": pandera.Column(int, coerce=True)}, unique=["id"])
MEAN = pandera.DataFrameSchema({"id": pandera.Column(checks=pandera.Check(lambda s: s.mean() < 1, name="mean"))})
NO_SCHEMA = 3

ROWS = pa.table({"id": [1, 2, 2, -4], "name": ["AB", "abcd", None, "a"], "age": [5.0, 200.0, None, 0.0]})


def outcomes(court: Court, rows: pa.Table, name: str, cursor: str | None = None) -> dict[str, tuple[int, str]]:
    judgement = court.judge(rows, schema=f"{__name__}:{name}", cursor=cursor)
    return {rule.id: (rule.failed, rule.severity) for rule in judgement.rules}


def test_every_check_is_an_outcome(court: Court) -> None:
    assert outcomes(court, ROWS, "Flights") == {
        "schema:id:unique": (1, "error"),
        "schema:id:not_nullable": (0, "error"),
        "schema:id:greater_than_or_equal_to(0)": (1, "error"),
        "schema:name:str_length(None, 3)": (1, "error"),
        "schema:age:not_nullable": (1, "error"),
        "schema:age:in_range(0, 150)": (1, "warning"),
        "schema:older_than_id": (0, "error"),
        "schema": (0, "error"),
    }
    assert [row["id"] for row in court.good] == [1]
    assert (
        court.bad[0]["_pipelines_reason"]
        == "name: 'abcd' fails str_length(None, 3) (rule schema:name:str_length(None, 3))"
    )


def test_uniqueness_holds_over_chunks_and_keeps_the_newest(court: Court) -> None:
    rows = pa.table({"id": [*range(150_000), 0], "seen": [*range(150_000), 150_000]})
    judgement = court.judge(rows, schema=f"{__name__}:COERCING", cursor="seen")
    assert (judgement.rejected, court.bad[0]["seen"]) == (1, 0)


def test_coercion_judges_but_does_not_change_the_data(court: Court) -> None:
    found = outcomes(court, pa.table({"id": ["1", "x", "3"]}), "COERCING")
    assert found["schema"] == (1, "error")
    assert (court.good, court.bad[0]["id"]) == ([{"id": "1"}, {"id": "3"}], "x")


def test_failure_of_no_row_fails_the_batch_and_closes_the_gate(court: Court) -> None:
    judgement = court.judge(pa.table({"id": [1, 2]}), schema=f"{__name__}:MEAN")
    assert [(rule.id, rule.type, rule.failed) for rule in judgement.rules if rule.failed] == [
        ("schema:id:mean", "schema_batch", 1)
    ]
    assert str(closes(None, judgement)).startswith("Rule `schema:id:mean` failed for the whole batch: ")


def test_missing_and_extra_columns_fail_the_batch(court: Court) -> None:
    judgement = court.judge(pa.table({"id": [1], "age": [5.0], "extra": [1]}), schema=f"{__name__}:Flights")
    failed = {rule.id for rule in judgement.rules if rule.type == "schema_batch"}
    assert failed == {"schema:name:column_in_dataframe", "schema:extra:column_in_schema"}


def test_what_is_no_schema_is_refused(court: Court) -> None:
    with pytest.raises(SpecError, match="which is no pandera DataFrameSchema or DataFrameModel"):
        court.judge(ROWS, schema=f"{__name__}:NO_SCHEMA")
    with pytest.raises(SpecError, match="has no `Absent`"):
        court.judge(ROWS, schema=f"{__name__}:Absent")

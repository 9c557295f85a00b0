"""Where a row that a transform had stopped goes on, in today's transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.errors import InvalidData
from platform_pipelines.transforms.passed import Passed, marked, marks, remaining

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines.spec.transform import TransformSpec

FILTER, MAP = {"filter": "a > 0"}, {"map": {"a": "a"}}


@pytest.mark.parametrize(
    ("passed", "today", "left"),
    [
        ([], [FILTER, MAP], ["filter 1", "map 2"]),
        ([FILTER], [FILTER, MAP], ["map 2"]),
        ([FILTER], [{"sql": "select * from input"}, FILTER, MAP], ["map 3"]),
        ([FILTER], [{"filter": "a > 1"}, MAP], ["map 2"]),
        ([FILTER, MAP], [FILTER, {"label": "New", "sql": "select 1"}], ["New"]),
        ([FILTER], [{"label": "Other", "filter": "a > 0"}, MAP], ["map 2"]),
    ],
)
def test_goes_on_behind_the_last_that_is_left(
    make_specs: Callable[..., list[TransformSpec]],
    passed: list[dict[str, Any]],
    today: list[dict[str, Any]],
    left: list[str],
) -> None:
    before = [Passed.of(spec) for spec in make_specs(*passed)]
    assert [spec.label for spec in remaining(make_specs(*today), before)] == left


def test_nobody_knows_where_to_go_on_if_none_is_left(make_specs: Callable[..., list[TransformSpec]]) -> None:
    before = [Passed.of(spec) for spec in make_specs(FILTER)]
    with pytest.raises(InvalidData, match=r"None of the transforms that these rows have passed \(`filter 1`\)"):
        remaining(make_specs(MAP), before)


def test_marks_travel_in_a_schema(make_specs: Callable[..., list[TransformSpec]]) -> None:
    schema = pa.schema([("a", pa.int64())], metadata={"other": "x"})
    before = tuple(Passed.of(spec) for spec in make_specs(FILTER, MAP))
    assert marks(schema) is None
    assert marks(marked(schema, before)) == before
    assert marks(marked(schema, ())) == ()
    assert (marked(schema, ()).metadata or {})[b"other"] == b"x"

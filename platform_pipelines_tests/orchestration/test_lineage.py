from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from platform_pipelines.orchestration.lineage import through
from platform_pipelines.spec import TransformSpec

LANDING = dg.AssetKey(["orders", "landing"])
COLUMNS = ["id", "contact", "amount", "a.b"]


def followed(*transforms: tuple[str, Any]) -> dict[str, list[str]] | None:
    specs = [TransformSpec.model_validate({"kind": kind, "body": body, "label": kind}) for kind, body in transforms]
    lineage = through(COLUMNS, specs, LANDING)
    if lineage is None:
        return None
    assert all(dep.asset_key == LANDING for deps in lineage.deps_by_column.values() for dep in deps)
    return {name: [dep.column_name for dep in deps] for name, deps in lineage.deps_by_column.items()}


def test_without_transforms_columns_keep_their_names() -> None:
    assert followed() == {name: [name] for name in COLUMNS}


def test_map_renames_and_reaches_into_columns() -> None:
    body = {
        "key": "id",
        "email": {"from": "contact.email"},
        "dotted": "a.b",
        "amount": {},
        "status": {"default": "new"},
    }
    assert followed(("map", body)) == {
        "key": ["id"],
        "email": ["contact"],
        "dotted": ["a.b"],
        "amount": ["amount"],
        "status": [],
    }


def test_map_builds_columns_of_fields_and_keeps_others() -> None:
    body = {"who.mail": "contact.email", "who.key": "id", "id": {"convert": "string"}}
    spec = TransformSpec.model_validate({"kind": "map", "body": body, "label": "map", "unmapped": "keep"})
    lineage = through(COLUMNS, [spec], LANDING)
    assert lineage is not None
    assert {name: [dep.column_name for dep in deps] for name, deps in lineage.deps_by_column.items()} == {
        "who": ["contact", "id"],
        "id": ["id"],
        "contact": ["contact"],
        "amount": ["amount"],
        "a.b": ["a.b"],
    }


def test_filters_and_masks_keep_columns() -> None:
    assert followed(("filter", "amount > 0"), ("mask", {"id": "sha256"})) == {name: [name] for name in COLUMNS}


def test_aggregates_come_from_the_column_they_sum_up() -> None:
    body = {"by": ["id"], "values": {"orders": "count", "total": "sum:amount"}}
    assert followed(("aggregate", body)) == {"id": ["id"], "orders": [], "total": ["amount"]}


def test_joined_columns_have_no_landed_column() -> None:
    body = {"with": {"connector": "w", "table": "t"}, "on": {"id": "id"}, "select": ["name"], "prefix": "dest_"}
    assert followed(("join", body)) == {**{name: [name] for name in COLUMNS}, "dest_name": []}


@pytest.mark.parametrize(
    "transform",
    [
        ("sql", "select 1"),
        ("function", "m:f"),
        ("join", {"with": {"connector": "w", "table": "t"}, "on": {"id": "id"}}),
    ],
)
def test_what_cannot_be_followed_is_not_guessed(transform: tuple[str, Any]) -> None:
    assert followed(("filter", "amount > 0"), transform, ("filter", "id > 0")) is None

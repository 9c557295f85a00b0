"""Deletes by key difference: which pipelines can have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from platform_pipelines.errors import SpecError
from platform_pipelines.spec import Capabilities, Catalog, ConnectorSpec, PipelineSpec, pipeline_from_config
from platform_pipelines.spec.sourcekey import source_key

MERGE: dict[str, Any] = {"connector": "db", "table": "t", "mode": "merge", "key": ["id"]}


def build(modes: frozenset[str] | None = None, *, compares: bool = True, **changes: Any) -> PipelineSpec:
    source = {
        "connector": "db",
        "stream": "s",
        "mode": "incremental",
        "cursor": {"field": "at"},
        "deletes": {"detect": "key_difference"},
    }
    config = {"name": "p", "source": source, "destinations": [MERGE]} | changes
    connectors = {"db": ConnectorSpec("db", "db", {"type": "db"})}

    def able(_: str) -> Capabilities:
        return Capabilities(source=True, destination=True, modes=modes or frozenset(), compares=compares)

    return pipeline_from_config(config, Catalog(Path(), Path(), connectors), able if modes is not None else None)


def refusal(modes: frozenset[str] | None = None, *, compares: bool = True, **changes: Any) -> str:
    with pytest.raises(SpecError) as caught:
        build(modes, compares=compares, **changes)
    return str(caught.value)


def test_the_key_is_followed_to_the_source() -> None:
    transforms = [
        {"map": {"user": "id", "region": None, "v": {"from": "w", "convert": "int"}}},
        {"filter": "v > 0"},
        {"mask": {"v": "sha256"}},
        {"map": {"user_id": {"from": "user", "default": None}, "region": {}, "v": "v"}},
        {"sql": "select * from input"},
    ]
    spec = build(transforms=transforms, destinations=[MERGE | {"key": ["user_id", "region"]}])
    assert source_key(spec) == {"user_id": "id", "region": "region"}


@pytest.mark.parametrize(
    "transform",
    [
        {"map": {"id": {"from": "id", "convert": "text"}}},
        {"map": {"id": {"from": "id", "default": 0}}},
        {"map": {"id": "who.id"}},
        {"mask": {"id": "sha256"}},
    ],
)
def test_a_key_that_a_transform_changes_is_refused(transform: dict[str, Any]) -> None:
    message = refusal(transforms=[transform | {"label": "mine"}])
    assert "compares key `id` with the source, and transform `mine` changes it" in message
    assert "deletes: {field: deleted_at}" in message


def test_a_full_refresh_needs_no_detection() -> None:
    source = {"connector": "db", "stream": "s", "deletes": {"detect": "key_difference"}}
    assert "a full refresh replaces all rows" in refusal(source=source)


def test_every_destination_merges_by_the_same_key() -> None:
    other = MERGE | {"name": "other", "table": "u"}
    assert "other has another mode" in refusal(destinations=[MERGE, {**other, "mode": "append"}])
    message = refusal(destinations=[MERGE, {**other, "key": ["id", "at"]}])
    assert "destinations `db` (id) and `other` (id, at) have two" in message
    assert build(destinations=[MERGE | {"key": ["a", "b"]}, other | {"key": ["b", "a"]}])


def test_the_connector_must_be_able_to_delete_or_to_mark() -> None:
    merging = frozenset({"merge"})
    assert "needs mode update of connector `db` (type db)" in refusal(merging)
    source = {
        "connector": "db",
        "stream": "s",
        "mode": "incremental",
        "cursor": {"field": "at"},
        "deletes": {"detect": "key_difference", "action": "hard"},
    }
    assert "needs mode delete of connector `db` (type db)" in refusal(merging, source=source)
    assert build(merging | {"delete"}, source=source)


def test_an_api_cannot_tell_whether_another_partition_has_a_key_now() -> None:
    """It is refused before anything runs: the first key that is gone would hold up its partition for good."""
    able = frozenset({"merge", "update"})
    partitions = {"by": "value", "field": "region", "values": ["eu", "us"]}
    message = refusal(able, compares=False, partitions=partitions)
    assert "does not tell whether a key that is gone from one partition is in another one now" in message
    assert build(able, compares=False)
    assert build(able, partitions=partitions)

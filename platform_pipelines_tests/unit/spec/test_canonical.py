"""The canonical form, to the letter, and its defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dagster._core.definitions.utils import DISALLOWED_NAMES

from platform_pipelines.errors import SpecError
from platform_pipelines.spec import PipelineSpec, load_catalog, pipeline_from_config, pipeline_from_file
from platform_pipelines.spec.duration import seconds
from platform_pipelines.spec.names import RESERVED
from platform_pipelines.spec.parse import parse
from platform_pipelines.spec.tree import plain

CANONICAL = Path(__file__).with_name("canonical.yaml")
CONNECTORS = "flights_files: {type: files, root: in, format: csv}\nwarehouse: {type: duckdb, path: w.duckdb}\n"
MINIMAL: dict[str, Any] = {
    "name": "tiny",
    "source": {"connector": {"type": "memory"}, "stream": "s"},
    "destinations": [{"connector": {"type": "logger"}}],
}


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PipelineSpec:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "connectors.yaml").write_text(CONNECTORS, encoding="utf-8")
    (tmp_path / "flights.yaml").write_text(CANONICAL.read_text(encoding="utf-8"), encoding="utf-8")
    return pipeline_from_file(tmp_path / "flights.yaml")


def test_head(spec: PipelineSpec) -> None:
    assert (spec.name, spec.domain, spec.file, spec.line) == ("flights", "travel", "flights.yaml", 1)
    assert spec.owners == ("team:travel", "data@example.com")
    assert spec.tags == {"tier": "gold", "version": "2"}
    assert spec.steps == ()


def test_source(spec: PipelineSpec) -> None:
    source = spec.source
    assert (source.connector, source.stream, source.mode) == ("flights_files", "flights", "incremental")
    assert source.cursor is not None
    assert (source.cursor.field, source.cursor.lag, source.cursor.initial) == ("updated_at", 0.0, None)
    assert (source.cursor.on_missing, source.cursor.timezone) == ("fail", None)
    assert source.options == {"where": "month = 1"}
    assert source.deletes is not None
    assert (source.deletes.field, source.deletes.detect, source.deletes.action) == ("deleted_at", None, "soft")
    assert source.checkpoint_pages is None


def test_transforms(spec: PipelineSpec) -> None:
    kinds = [transform.kind for transform in spec.transforms]
    assert kinds == ["map", "filter", "sql", "join", "aggregate", "mask", "function"]
    labels = [transform.label for transform in spec.transforms]
    assert labels == ["map 1", "filter 2", "sql 3", "join 4", "aggregate 5", "Hide personal data", "function 7"]
    assert [transform.required for transform in spec.transforms] == [True] * 5 + [False, True]
    assert [transform.line for transform in spec.transforms] == [14, 15, 16, 17, 18, 19, 22]
    assert spec.transforms[0].body["email"] == {"from": "contact.email", "convert": "lower", "default": None}
    assert spec.transforms[1].body == "amount > 0"


def test_quality(spec: PipelineSpec) -> None:
    quality = spec.quality
    assert quality.schema_path == "my_module:FlightSchema"
    assert [(rule.id, rule.type, rule.severity) for rule in quality.rules] == [
        ("completeness", "required", "error"),
        ("format", "regex", "error"),
        ("range", "range", "warning"),
        ("uniqueness", "unique", "error"),
        ("carrier_known", "foreign_key", "error"),
        ("kinds", "accepted", "error"),
        ("order", "condition", "error"),
        ("volume", "volume", "error"),
        ("fresh", "freshness", "warning"),
    ]
    assert quality.rules[8].model_dump()["max_age"] == 172_800.0
    assert quality.gate is not None
    assert (quality.gate.max_rejected, quality.gate.max_rejected_share) == (1000, 0.01)
    contract = quality.schema_contract
    assert (contract.new_columns, contract.missing_columns, contract.type_changes) == ("add", "fail", "widen")


def test_destination_and_timing(spec: PipelineSpec) -> None:
    (one,) = spec.destinations
    assert (one.name, one.connector, one.table, one.mode, one.key) == (
        "warehouse", "warehouse", "raw.flights", "merge", ("flight_id",))  # fmt: skip
    assert (one.buffer_size, one.buffer_flush_timeout, one.max_concurrent_threads) == (50, 600, 10)
    assert (one.batch_size, one.on_error) == (200, "continue")
    assert spec.schedule is not None
    assert (spec.schedule.cron, spec.schedule.timezone) == ("0 */6 * * *", "UTC")
    assert spec.triggers.after == ("airports", "airlines")
    assert (spec.retries.max, spec.retries.delay, spec.retries.backoff) == (3, 10.0, "exponential")
    assert spec.timeout == 3600.0


def test_defaults() -> None:
    spec = pipeline_from_config(MINIMAL)
    assert (spec.domain, spec.description, spec.owners, spec.tags) == ("default", "", (), {})
    assert (spec.source.mode, spec.source.cursor, spec.source.options) == ("full_refresh", None, {})
    assert (spec.file, spec.line, spec.schedule, spec.partitions, spec.timeout) == (None, None, None, None, None)
    assert (spec.quality.rules, spec.quality.gate, spec.triggers.after) == ((), None, ())
    assert (spec.retries.max, spec.retries.delay) == (3, 10.0)
    (one,) = spec.destinations
    assert (one.name, one.table, one.mode, one.key) == ("logger", "tiny", "append", ())
    assert (one.buffer_size, one.buffer_flush_timeout, one.max_concurrent_threads) == (50, 600, 10)


def test_a_key_without_value_counts_as_not_given() -> None:
    spec = pipeline_from_config({**MINIMAL, "transforms": None, "quality": None, "schedule": None, "domain": None})
    assert spec == pipeline_from_config(MINIMAL)


@pytest.mark.parametrize("written", ["null", "'null'", "~"])
def test_missing_columns_may_be_null(written: str) -> None:
    tree = parse(f"quality: {{schema_contract: {{missing_columns: {written}}}}}".encode(), "f.yaml")
    spec = pipeline_from_config({**MINIMAL, **plain(tree)})
    assert spec.quality.schema_contract.missing_columns == "null"


def test_specs_are_frozen() -> None:
    spec = pipeline_from_config(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"  # type: ignore[misc]


def test_mode_aliases() -> None:
    def mode(written: str) -> str:
        one = {"connector": {"type": "memory"}, "mode": written, "key": ["id"]}
        return pipeline_from_config({**MINIMAL, "destinations": [one]}).destinations[0].mode

    assert [mode(each) for each in ("upsert", "insert", "merge", "update", "delete")] == [
        "merge", "append", "merge", "update", "delete"]  # fmt: skip


def test_rule_ids_are_derived_from_type_and_fields() -> None:
    rules = [
        {"type": "required", "fields": ["id", "e-mail"]},
        {"type": "range", "field": "age", "min": 0},
        {"type": "condition", "sql": "a > b"},
        {"type": "range", "field": "born", "min": "1900-01-01", "max": "2020-01-01"},
    ]
    spec = pipeline_from_config({**MINIMAL, "quality": {"rules": rules}})
    assert [rule.id for rule in spec.quality.rules] == ["required_id_e_mail", "range_age", "condition", "range_born"]


def test_inline_connectors_are_named_after_their_place() -> None:
    memory = {"type": "memory"}
    reference = {"connector": memory, "table": "t", "field": "f"}
    spec = pipeline_from_config(
        {
            **MINIMAL,
            "transforms": [{"join": {"with": {"connector": memory, "table": "t"}, "on": {"a": "b"}}}],
            "quality": {"rules": [{"id": "known", "type": "foreign_key", "field": "a", "reference": reference}]},
        }
    )
    assert sorted(spec.inline_connectors) == [
        "tiny.destinations.logger",
        "tiny.rules.known",
        "tiny.source",
        "tiny.transforms.1",
    ]
    assert spec.source.connector == "tiny.source"
    assert spec.transforms[0].body["with"]["connector"] == "tiny.transforms.1"
    assert spec.inline_connectors["tiny.source"].config == {"type": "memory"}


def test_twenty_destinations_are_allowed() -> None:
    many = [{"connector": {"type": "memory"}, "name": f"d{index}", "table": f"t{index}"} for index in range(20)]
    assert len(pipeline_from_config({**MINIMAL, "destinations": many}).destinations) == 20


def test_hard_deletes_need_a_key_at_every_destination() -> None:
    deletes = {"field": "deleted_at", "action": "hard"}
    with pytest.raises(SpecError, match="`action: hard` removes rows by key"):
        pipeline_from_config({**MINIMAL, "source": {**MINIMAL["source"], "deletes": deletes}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0s", 0), ("10s", 10), ("15m", 900), ("1h", 3600), ("2d", 172_800), ("1w", 604_800), ("500ms", 0.5), ("1.5 h", 5400),
     ("90", 90), (90, 90), (0.25, 0.25)],
)  # fmt: skip
def test_durations(text: object, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["1 hour", "h", "", "-1s", -1, True, None, "1h30m", float("nan"), float("inf")])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(
        ValueError, match=r"is not a duration\. Write seconds, or a number with a unit: 500ms, 10s, 15m, 1h"
    ):
        seconds(text)


def test_reserved_names_are_dagsters() -> None:
    assert RESERVED == DISALLOWED_NAMES


def test_cursor_and_partition_values_may_be_written_as_numbers() -> None:
    source = {**MINIMAL["source"], "mode": "incremental", "cursor": {"field": "id", "initial": 100, "lag": 5}}
    spec = pipeline_from_config({**MINIMAL, "source": source})
    assert spec.source.cursor is not None
    assert (spec.source.cursor.initial, spec.source.cursor.lag) == ("100", 5.0)


def test_the_catalog_of_this_distribution_loads() -> None:
    import platform_pipelines

    catalog = load_catalog(Path(platform_pipelines.__file__).parent / "defs", deep=True)
    assert "flights" in catalog.pipelines


def test_canonical_example_is_plain_yaml() -> None:
    tree = plain(parse(CANONICAL.read_bytes(), "canonical.yaml"))
    assert tree["partitions"]["start"] == "2013-01-01"

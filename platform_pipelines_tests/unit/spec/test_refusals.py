"""Impossible pipelines are refused before anything runs: the value, where, what is allowed, what next."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_pipelines.errors import SpecErrors
from platform_pipelines.spec import load_catalog, pipeline_from_config

BASE = """\
name: a
source:
  connector: {type: memory}
  stream: s
destinations:
  - {connector: {type: memory}, name: d}
"""
KINDS = "map, filter, sql, join, aggregate, mask, python, function"
SETTINGS = "label, required, unmapped, at"
NOT_A_DURATION = "is not a duration. Write seconds, or a number with a unit: 500ms, 10s, 15m, 1h, 2d, 1w."


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(text: str, *, deep: bool = False) -> list[str]:
    """The messages with which ``text`` is refused."""
    Path("p.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecErrors) as caught:
        load_catalog(Path.cwd(), deep=deep)
    assert str(caught.value).splitlines() == [str(error) for error in caught.value.errors]
    return str(caught.value).splitlines()


SOURCE = [
    ("strem: s", [
        "p.yaml:4: Unknown key `strem` in `source`. Allowed: connector, stream, mode, cursor, options, deletes, checkpoint_pages. Did you mean `stream`?"]),
    ("stream: 12", ['p.yaml:4: `stream` in `source` must be a text, not 12. Quote it: "12".']),
    ("stream: ''", ["p.yaml:4: `stream` in `source` is an empty text. Write a value, or remove it."]),
    ("stream: s\n  mode: incremntal", [
        "p.yaml:5: Unknown mode `incremntal` for `source`. Allowed: incremental, full_refresh, stream. Did you mean `incremental`?"]),
    ("stream: s\n  mode: [x]", ["p.yaml:5: Unknown mode ['x'] for `source`. Allowed: incremental, full_refresh, stream."]),
    ("stream: s\n  mode: incremental", [
        "p.yaml:5: `mode: incremental` needs a cursor, a column that grows with every change. Write `cursor: {field: updated_at}`, or `mode: full_refresh`."]),
    ("stream: s\n  mode: stream", [
        "p.yaml:5: `mode: stream` is not available yet. Write `mode: incremental` with a cursor, or `full_refresh`."]),
    ("stream: s\n  cursor: updated_at", ["p.yaml:5: `cursor` in `source` must be a mapping, not 'updated_at'."]),
    ("stream: s\n  cursor: {field: a, lag: 3 hours, on_mising: x}", [
        f"p.yaml:5: `lag` in `source.cursor`: '3 hours' {NOT_A_DURATION}",
        "p.yaml:5: Unknown key `on_mising` in `source.cursor`. Allowed: field, lag, initial, on_missing, timezone. Did you mean `on_missing`?"]),
    ("stream: s\n  cursor: {field: a, timezone: Europe/Berln}", [
        "p.yaml:5: `timezone` in `source.cursor`: Unknown time zone 'Europe/Berln'. Allowed: IANA names such as UTC, Europe/Berlin, America/New_York. Did you mean `Europe/Berlin`?"]),
    ("stream: s\n  deletes: {action: hard}", [
        "p.yaml:5: `deletes` needs exactly one of `field` and `detect`. Write {field: deleted_at, action: soft} or {detect: key_difference, max_share: 0.05, action: hard}."]),
    ("stream: s\n  checkpoint_pages: 0", ["p.yaml:5: `checkpoint_pages` in `source` is 0. Allowed: at least 1."]),
    ("stream: s\n  options: [x]", ["p.yaml:5: `options` in `source` must be a mapping, not a list."]),
]  # fmt: skip


@pytest.mark.parametrize(("written", "messages"), SOURCE)
def test_source(written: str, messages: list[str]) -> None:
    assert refused(BASE.replace("stream: s", written)) == messages


DESTINATION = [
    ("{connector: {type: memory}, mode: upsrt}", [
        "p.yaml:6: Unknown mode `upsrt` for destination `memory`. Allowed: append, merge, update, replace, delete. Did you mean `upsert` (an alias of merge)?"]),
    ("{connector: {type: memory}, mode: upsert}", [
        "p.yaml:6: Mode merge of destination `memory` needs a key. Write `key: [id]`, or `mode: append`."]),
    ("{connector: {type: memory}, mode: update}", [
        "p.yaml:6: Mode update of destination `memory` needs a key. Write `key: [id]`, or `mode: append`."]),
    ("{connector: {type: memory}, mode: delete, key: []}", [
        "p.yaml:6: Mode delete of destination `memory` needs a key. Write `key: [id]`, or `mode: append`."]),
    ("{connector: {type: memory}, key: id, table: ''}", [
        "p.yaml:6: `table` in destination `memory` is an empty text. Write a value, or remove it.",
        "p.yaml:6: `key` in destination `memory` must be a list, not 'id'. Write [id]."]),
    ("{connector: {type: memory}, buffer_size: '3', batch_size: 2.5, max_concurrent_threads: 0}", [
        "p.yaml:6: `buffer_size` in destination `memory` must be a number, not '3'. Remove the quotes.",
        "p.yaml:6: `max_concurrent_threads` in destination `memory` is 0. Allowed: at least 1.",
        "p.yaml:6: `batch_size` in destination `memory` must be a whole number, not 2.5. Remove the fraction."]),
    ("{connector: {type: memory}, buffer_size: 0}", ["p.yaml:6: `buffer_size` in destination `memory` is 0. Allowed: more than 0."]),
    ("{connector: {type: memory}, key: [[a]]}", ["p.yaml:6: `key[0]` in destination `memory` must be a text, not a list."]),
    ("{connector: warehouse}", [
        "p.yaml:6: Unknown connector `warehouse`. Allowed: there is no connectors.yaml in the current folder. Add it to connectors.yaml, or write an inline mapping {type: …}."]),
    ("{table: t}", [
        "p.yaml:6: `destinations[0]` lacks `name`. Add `name: …`. Name of the asset; default: the connector's name.",
        "p.yaml:6: `destinations[0]` lacks `connector`. Add `connector: …`. A name from connectors.yaml, or an inline mapping {type: …}."]),
    ("{connector: {path: x}, name: d}", ["p.yaml:6: An inline connector needs `type`. Write `connector: {type: files, …}`."]),
    ("{connector: {type: memory}, name: landing}", [
        "p.yaml:6: `name` in destination `landing`: 'landing' is taken by the asset of that stage. Write `landing_destination`."]),
    ("{connector: {type: memory}, name: my lake}", [
        "p.yaml:6: `name` in destination `my lake`: 'my lake' is not allowed as a name: Dagster takes letters A-Z and a-z, digits and _ in asset keys, at most 200 of them. Write `my_lake`."]),
    ("logger", ["p.yaml:6: `destinations[0]` in the pipeline must be a mapping, not 'logger'."]),
    ("{connector: {type: memory}}\n  - {connector: {type: memory}, table: b}", [
        "p.yaml:7: Two destinations are named `memory`. Give each its own `name`."]),
    ("{connector: {type: memory}, name: x}\n  - {connector: {type: memory}, name: y}", [
        "p.yaml:7: Two destinations load into table `a` of the same connector. Remove one, or write another `table`."]),
]  # fmt: skip


@pytest.mark.parametrize(("written", "messages"), DESTINATION)
def test_destination(written: str, messages: list[str]) -> None:
    assert refused(BASE.replace("{connector: {type: memory}, name: d}", written)) == messages


def test_destinations_as_a_whole() -> None:
    one = "  - {connector: {type: memory}, name: d}\n"
    many = "".join(f"  - {{connector: {{type: memory}}, name: d{index}}}\n" for index in range(21))
    assert refused(BASE.replace(one, many)) == [
        "p.yaml:5: `destinations` in the pipeline holds 21. Allowed: at most 20."
    ]
    assert refused(BASE.replace(f"\n{one}", " []")) == [
        "p.yaml:5: `destinations` in the pipeline is empty. Write at least one."
    ]
    mapping = BASE.replace("  - {", "  {")
    assert refused(mapping) == ["p.yaml:5: `destinations` in the pipeline must be a list, not a mapping."]


def test_replace_needs_a_whole_table_or_partition() -> None:
    text = BASE.replace("stream: s", "stream: s\n  mode: incremental\n  cursor: {field: u}").replace(
        "name: d", "mode: replace"
    )
    assert refused(text) == [
        "p.yaml:8: Destination `memory` would replace the whole table by the last increment. Write `mode: merge` with a `key`, `source.mode: full_refresh`, or cut the stream into `partitions`."
    ]
    Path("p.yaml").write_text(text + "partitions: {by: day, field: u, start: 2013-01-01}\n", encoding="utf-8")
    assert load_catalog(Path.cwd()).pipelines["a"].destinations[0].mode == "replace"


HEAD = [
    ("name: a-b", "`name` in the pipeline: 'a-b' is not allowed as a name: Dagster takes letters A-Z and a-z, digits and _ in asset keys, at most 200 of them. Write `a_b`."),
    ("name: 'äö'", "`name` in the pipeline: 'äö' is not allowed as a name: Dagster takes letters A-Z and a-z, digits and _ in asset keys, at most 200 of them. Write `my_pipeline`."),
    ("name: type", "`name` in the pipeline: 'type' is reserved by Dagster or Python for other things. Write `type_pipeline`."),
    ("name: 2024", '`name` in the pipeline must be a text, not 2024. Quote it: "2024".'),
    ("name: true", '`name` in the pipeline must be a text, not true or false (true). Quote it: "true".'),
    ("name:", "The pipeline lacks `name`. Add `name: …`. Letters, digits and underscores."),
]  # fmt: skip


@pytest.mark.parametrize(("written", "message"), HEAD)
def test_name(written: str, message: str) -> None:
    assert refused(BASE.replace("name: a\n", f"{written}\n", 1)) == [f"p.yaml:1: {message}"]


REST = [
    ("foo: 1", ["Unknown key `foo` in the pipeline. Allowed: name, domain, description, owners, tags, source, transforms, quality, destinations, partitions, schedule, triggers, retries, timeout, steps."]),
    ("foo:", ["Unknown key `foo` in the pipeline. Allowed: name, domain, description, owners, tags, source, transforms, quality, destinations, partitions, schedule, triggers, retries, timeout, steps."]),
    ("owners: [bob]", ["`owners[0]` in the pipeline: 'bob' is neither an e-mail address nor a team. Write `team:bob` or a full address."]),
    ("owners: ['team:']", ["`owners[0]` in the pipeline: 'team:' is neither an e-mail address nor a team. Write `team:my_pipeline` or a full address."]),
    ("tags: {a b: c}", ["Tag 'a b': 'c' is not allowed: Dagster takes letters, digits, _, - and . in keys (with one namespace before a /) and values, 63 characters at most."]),
    ("tags: {a: true}", ['`a` in `tags` must be a text, not true or false (true). Quote it: "true".']),
    ("tags: [a]", ["`tags` in the pipeline must be a mapping, not a list."]),
    ("domain: a b", ["`domain` in the pipeline: 'a b' is not allowed: Dagster takes letters, digits and _ in group names, with / between segments. Write `a_b`."]),
    ("partitions: {by: dy, field: f, start: 2013-01-01}", ["Unknown by `dy` for `partitions`. Allowed: hour, day, week, month, value. Did you mean `day`?"]),
    ("partitions: {by: day, start: 2013-01-01}", ["`partitions` lacks `field`. Add `field: …`. Date or timestamp column that says where a row belongs."]),
    ("partitions: {by: value, field: f}", ["`partitions` lacks `values`. Add `values: …`. One partition each."]),
    ("partitions: {by: value, field: f, values: []}", ["`values` in `partitions` is empty. Write at least one."]),
    ("partitions: {by: value, field: f, values: [a, a]}", ["Value 'a' is listed twice in `partitions.values`. Remove one."]),
    ("partitions: {by: value, field: f, values: [a], start: 2013-01-01}", ["Unknown key `start` in `partitions`. Allowed: by, field, values, detect_changes."]),
    ("partitions: day", ["`partitions` in the pipeline must be a mapping, not 'day'."]),
    ("partitions: {by: day, field: d, start: 2013-13-01}", ["'2013-13-01' is not a date: month must be in 1..12."]),
    ("partitions: {by: day, field: d, start: 2013-01-02, end: 2013-01-01}", ["There is no partition: no day begins between start '2013-01-02' and end '2013-01-01'."]),
    ("partitions: {by: day, field: d, start: 2013-01-02, detect_changes: true}", ["`detect_changes` compares cursors, and `source` follows none. Write `mode: incremental` with `cursor: {field: updated_at}`, or remove `detect_changes`."]),
    ("schedule: {cron: '0 25 * * *'}", ["`cron` in `schedule`: Bad cron expression '0 25 * * *': [0 25 * * *] is not acceptable, out of range. Write five fields, minute hour day month weekday, such as \"0 */6 * * *\", or @hourly, @daily, @weekly, @monthly."]),
    ("schedule: {cron: '0 0 * *'}", ["`cron` in `schedule`: Bad cron expression '0 0 * *': it has 4 fields. Write five fields, minute hour day month weekday, such as \"0 */6 * * *\", or @hourly, @daily, @weekly, @monthly."]),
    ("schedule: {cron: '0 0 30 2 *'}", ["`cron` in `schedule`: Bad cron expression '0 0 30 2 *': no date matches it. Write five fields, minute hour day month weekday, such as \"0 */6 * * *\", or @hourly, @daily, @weekly, @monthly."]),
    ("schedule: {cron: '0 0 * * * *', timezone: utc+1}", [
        "`cron` in `schedule`: Bad cron expression '0 0 * * * *': it has 6 fields. Write five fields, minute hour day month weekday, such as \"0 */6 * * *\", or @hourly, @daily, @weekly, @monthly.",
        "`timezone` in `schedule`: Unknown time zone 'utc+1'. Allowed: IANA names such as UTC, Europe/Berlin, America/New_York. Did you mean `UTC`?"]),
    ("schedule: '0 * * * *'", ["`schedule` in the pipeline must be a mapping, not '0 * * * *'."]),
    ("retries: {max: -1, delay: soon, backoff: exp}", [
        "`max` in `retries` is -1. Allowed: at least 0.",
        f"`delay` in `retries`: 'soon' {NOT_A_DURATION}",
        "Unknown backoff `exp` for `retries`. Allowed: exponential, linear, constant."]),
    ("timeout: 1 hour", [f"`timeout` in the pipeline: '1 hour' {NOT_A_DURATION}"]),
    ("steps: [{sql: x}]", ["`steps` are not available yet. Leave them out; `transforms` change rows on their way."]),
    ("triggers: {after: [a]}", ["Triggers form a cycle, so none of its pipelines would ever start: `a` → `a`. Remove one of them."]),
    ("engine: {threads: 1}", ["Unknown setting threads in `engine`. Allowed: syncCursorInDBEvery."]),
]  # fmt: skip


@pytest.mark.parametrize(("written", "messages"), REST)
def test_other_sections(written: str, messages: list[str]) -> None:
    assert refused(BASE + written) == [f"p.yaml:7: {message}" for message in messages]


RULES = [
    ("{type: requird, fields: [a]}", "Unknown rule type `requird` in `rules[0]`. Allowed: required, regex, range, unique, foreign_key, accepted, condition, pandera, volume, freshness, anomaly, reconciliation. Did you mean `required`?"),
    ("{id: x, field: a}", "Rule `x` lacks `type`. Add it, such as `type: required`."),
    ("{id: x, type: required, field: a}", "Unknown key `field` in rule `x`. Allowed: id, severity, type, fields. Did you mean `fields`?"),
    ("{type: required, fields: []}", "`fields` in `rules[0]` is empty. Write at least one."),
    ("{type: required, fields: email}", "`fields` in `rules[0]` must be a list, not 'email'. Write [email]."),
    ("{type: required, fields: [null]}", "`fields[0]` in `rules[0]` must be a text, not empty."),
    ("{type: range, field: a}", "Rule `range_a` needs `min`, `max` or both."),
    ("{type: range, field: a, min: 3, max: 1}", "Rule `range_a` can never pass: min 3 is above max 1. Swap them."),
    ("{type: range, field: a, min: 3, max: b}", "Rule `range_a` mixes types: min 3, max 'b'. Write two numbers or two texts."),
    ("{type: range, field: a, min: true}", "`min` in `rules[0]`: A bound must be a number or a text such as 2026-01-31, not True."),
    ("{id: x, type: range, field: a, min: 1, sverity: info}", "Unknown key `sverity` in rule `x`. Allowed: id, severity, type, field, min, max. Did you mean `severity`?"),
    ("{id: x, type: range, field: a, min: 1, severity: fatal}", "Unknown severity `fatal` for rule `x`. Allowed: error, warning, info."),
    ("{type: regex, field: a, pattern: '['}", "`pattern` in `rules[0]`: Pattern '[' is not a regular expression: unterminated character set at position 0. Quote it with '…' in YAML."),
    ("{type: volume, min_rows: -1}", "`min_rows` in `rules[0]` is -1. Allowed: at least 0."),
    ("{type: accepted, field: a, values: []}", "`values` in `rules[0]` is empty. Write at least one."),
    ("{type: accepted, field: a, values: [[1]]}", "`values` in `rules[0]`: `values` takes texts, numbers, true and false; [1] is none of these."),
    ("{type: freshness, field: a, max_age: old}", f"`max_age` in `rules[0]`: 'old' {NOT_A_DURATION}"),
    ("{id: k, type: foreign_key, field: a, reference: {connector: nope, table: t, field: f}}", "Unknown connector `nope`. Allowed: there is no connectors.yaml in the current folder. Add it to connectors.yaml, or write an inline mapping {type: …}."),
    ("{id: k, type: foreign_key, field: a, reference: {table: t, feild: f}}", "Unknown key `feild` in `reference` of rule `k`. Allowed: connector, table, destination, field. Did you mean `field`?"),
    ("{id: a b, type: volume, min_rows: 1}", "`id` in rule `a b`: 'a b' is not allowed as a name: Dagster takes letters A-Z and a-z, digits and _ in asset keys, at most 200 of them. Write `a_b`."),
    ("volume", "`rules[0]` in `quality` must be a mapping, not 'volume'."),
]  # fmt: skip


@pytest.mark.parametrize(("written", "message"), RULES)
def test_rules(written: str, message: str) -> None:
    assert f"p.yaml:9: {message}" in refused(f"{BASE}quality:\n  rules:\n    - {written}\n")


def test_rule_ids_are_unique() -> None:
    rule = "    - {type: required, fields: [a]}\n"
    assert refused(f"{BASE}quality:\n  rules:\n{rule}{rule}") == [
        "p.yaml:10: Two rules have the id `required_a`. Give each its own `id`: it names the asset check."
    ]


QUALITY = [
    ("{gate: {max_rejected_share: 1.5}}", "`max_rejected_share` in `quality.gate` is 1.5. Allowed: at most 1."),
    ("{gate: {}}", "`gate` needs `max_rejected`, `max_rejected_share` or both."),
    ("{schema: foo.bar}", "`schema` in `quality`: 'foo.bar' is not an import path. Write module:name, such as my_module:tidy. Did you mean `foo:bar`?"),
    ("{schema: 'foo bar'}", "`schema` in `quality`: 'foo bar' is not an import path. Write module:name, such as my_module:tidy."),
    ("{schema_contract: {new_columns: drop}}", "Unknown new_columns `drop` for `quality.schema_contract`. Allowed: add, ignore, fail."),
    ("{rules: {a: b}}", "`rules` in `quality` must be a list, not a mapping."),
]  # fmt: skip


@pytest.mark.parametrize(("written", "message"), QUALITY)
def test_quality(written: str, message: str) -> None:
    assert refused(f"{BASE}quality: {written}") == [f"p.yaml:7: {message}"]


TRANSFORMS = [
    ("python: ''", "`python` in `transforms[0]` must be a text that is not empty, not ''."),
    (
        "fliter: a",
        f"Unknown key `fliter` in `transforms[0]`. Allowed: {KINDS}, {SETTINGS}. Did you mean `filter`?",
    ),
    ("{filter: a, sql: b}", f"`transforms[0]` has filter and sql. Write exactly one of {KINDS} in each."),
    ("label: x", f"`transforms[0]` does nothing. Write exactly one of {KINDS} in each."),
    ("filter: ''", "`filter` in `transforms[0]` must be a text that is not empty, not ''."),
    ("filter: [a]", "`filter` in `transforms[0]` must be a text that is not empty, not ['a']."),
    ("map: {}", "`map` in `transforms[0]` must be a mapping that is not empty, not {}."),
    ("join: airports", "`join` in `transforms[0]` must be a mapping that is not empty, not 'airports'."),
    ("function: my.module.tidy", "'my.module.tidy' is not an import path. Write module:name, such as my_module:tidy. Did you mean `my.module:tidy`?"),
    ("{filter: a, required: maybe}", "`required` in transform `filter 1` must be true or false, not 'maybe'."),
    ("{filter: a, label: 7}", '`label` in transform `7` must be a text, not 7. Quote it: "7".'),
    ("filter", "`transforms[0]` in the pipeline must be a mapping, not 'filter'."),
    ("join: {with: {connector: nope, table: t}, on: {a: b}}", "Unknown connector `nope`. Allowed: there is no connectors.yaml in the current folder. Add it to connectors.yaml, or write an inline mapping {type: …}."),
]  # fmt: skip


@pytest.mark.parametrize(("written", "message"), TRANSFORMS)
def test_transforms(written: str, message: str) -> None:
    assert refused(f"{BASE}transforms:\n  - {written}\n") == [f"p.yaml:8: {message}"]


SQL = [
    ("filter: 'a >'", "'a >' is not SQL that DuckDB can read: syntax error at or near \")\""),
    ("sql: selct 1", "'selct 1' is not SQL that DuckDB can read: syntax error at or near \"selct\""),
    ("sql: delete from input", "'delete from input' is not SQL that DuckDB can read: one SELECT, or one condition, is allowed."),
    ("sql: select 1; select 2", "'select 1; select 2' is not SQL that DuckDB can read: one SELECT, or one condition, is allowed."),
    ("filter: 'true); drop table x; select (1'", "'true); drop table x; select (1' is not SQL that DuckDB can read: one SELECT, or one condition, is allowed."),
]  # fmt: skip


@pytest.mark.parametrize(("written", "message"), SQL)
def test_sql_is_parsed_where_asked_for(written: str, message: str) -> None:
    text = f"{BASE}transforms:\n  - {written}\n"
    assert refused(text, deep=True) == [f"p.yaml:8: {message}"]
    assert load_catalog(Path.cwd()).pipelines["a"].transforms


def test_conditions_are_parsed_too() -> None:
    text = f"{BASE}quality:\n  rules:\n    - {{id: x, type: condition, sql: 'a > '}}\n    - {{id: y, type: condition, sql: a > b -- fine}}\n"
    (message,) = refused(text, deep=True)
    assert message.startswith("p.yaml:9: 'a > ' is not SQL that DuckDB can read: syntax error")


def test_a_mapping_from_python_is_refused_without_file_and_line() -> None:
    with pytest.raises(SpecErrors) as caught:
        pipeline_from_config({"name": "a", "destintions": []})
    first, second = str(caught.value).splitlines()
    assert first == "The pipeline lacks `source`. Add `source: …`. What is read."
    assert second.endswith("Did you mean `destinations`?")


def test_a_long_value_is_cut_in_the_message() -> None:
    (message,) = refused(BASE.replace("name: a\n", f"name: {'x y' * 500}\n", 1))
    assert len(message) < 500

"""Quality sections that can never work are refused with the line, the value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.errors import SpecErrors
from platform_pipelines.spec import load_catalog

BASE = """\
name: a
source: {connector: mem, stream: s}
destinations:
  - {connector: mem, name: d, mode: MODE, key: [id]}
  - {connector: log, name: l}
quality:
"""
CONNECTORS = "mem: {type: memory}\nlog: {type: logger}\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(quality: str, mode: str = "merge", more: str = "") -> list[str]:
    Path("connectors.yaml").write_text(CONNECTORS, encoding="utf-8")
    Path("p.yaml").write_text(f"{BASE.replace('MODE', mode)}  {quality}\n{more}", encoding="utf-8")
    with pytest.raises(SpecErrors) as caught:
        load_catalog(Path.cwd(), capabilities)
    return str(caught.value).splitlines()


CASES = [
    ("rules: [{type: unique, fields: [x], scope: warehous}]",
     "p.yaml:7: Rule `unique_x` names the unknown destination `warehous`. Allowed: d, l."),
    ("rules: [{type: unique, fields: [x], scope: l}]",
     ("p.yaml:7: Rule `unique_x` needs connector `log` (type logger) to read back what it holds. It cannot. "
     "Name another, or remove the rule.")),
    ("rules: [{type: foreign_key, field: x, reference: {destination: d, table: t, field: id}}]",
     ("p.yaml:7: `reference` needs either `connector` and `table`, or `destination`. Write {connector: warehouse, "
     "table: raw.airlines, field: carrier} or {destination: warehouse, field: id}.")),
    ("rules: [{type: foreign_key, field: x, reference: {connector: mem, field: id}}]",
     ("p.yaml:7: `reference` needs either `connector` and `table`, or `destination`. Write {connector: warehouse, "
     "table: raw.airlines, field: carrier} or {destination: warehouse, field: id}.")),
    ("rules: [{type: reconciliation}]",
     ("p.yaml:7: Rule `reconciliation` needs connector `log` (type logger) to tell how many rows and which sums it "
     "holds. It cannot. Name another, or remove the rule.")),
    ("rules: [{type: reconciliation, destination: x}]",
     "p.yaml:7: Rule `reconciliation` names the unknown destination `x`. Allowed: d, l."),
    ("rules: [{type: reconciliation, id: accounting, destination: d}]",
     "p.yaml:7: The id `accounting` is the name of the asset check of a load. Write another `id`."),
    ("rules: [{type: reconciliation, destination: d, tolerance: -1}]",
     "p.yaml:7: `tolerance` in `rules[0]` is -1. Allowed: at least 0."),
    ("rules: [{type: anomaly, metric: rows, field: x, id: r}]",
     "p.yaml:7: Rule `r`: metric rows takes no `field`. Remove it."),
    ("rules: [{type: anomaly, metric: distinct, id: r}]",
     "p.yaml:7: Rule `r`: metric distinct needs a `field`. Write `field: email`."),
    ("rules: [{type: anomaly, metric: rows, window: 5, id: r}]",
     "p.yaml:7: Rule `r` can never judge: min_history 7 is above window 5. Write a larger `window`."),
    ("rules: [{type: anomaly, metric: mean, id: r}]",
     "p.yaml:7: Unknown metric `mean` for rule `r`. Allowed: rows, null_share, distinct."),
    ("rules: [{type: anomaly, metric: rows, severity: error, id: r}]",
     "p.yaml:7: Unknown severity `error` for rule `r`. Allowed: warning, info."),
    ("rules: [{type: anomaly, metric: rows, sensitivity: huge, id: r}]",
     ("p.yaml:7: `sensitivity` in rule `r`: 'huge' is no sensitivity. Allowed: low, medium, high, or k, a number "
     "above 0.")),
    ("rules: [{type: pandera, check: my_module.is_even, field: x, id: r}]",
     ("p.yaml:7: `check` in rule `r`: 'my_module.is_even' is not an import path. Write module:name, such as "
     "my_module:tidy. Did you mean `my_module:is_even`?")),
    ("approval: {min_score: 0.9}",
     ("p.yaml:7: `approval` never asks: no rule counts towards the score, so it is always 1. Add a rule of severity "
     "error or warning, or remove `approval`.")),
    ("approval: {min_score: 0}", "p.yaml:7: `min_score` in `quality.approval` is 0. Allowed: more than 0."),
    ("approval: {min_score: 0.9, on_deadline: release}",
     "p.yaml:7: `on_deadline: release` never comes about without `deadline`. Write `deadline: 24h`."),
    ("approval: {min_score: 0.9, deadline: 0s}", ("p.yaml:7: `deadline` in `quality.approval` is '0s'. Allowed: more "
     "than 0.")),
    ("alert: {max_dead_letters: -1}", "p.yaml:7: `max_dead_letters` in `quality.alert` is -1. Allowed: at least 0."),
    ("{alert: {max_dead_letters: 1}, rules: [{type: required, fields: [x], id: dead_letters}]}",
     "p.yaml:7: The id `dead_letters` is the name of the asset check of `alert`. Write another `id`."),
    ("{approval: {min_score: 1}, rules: [{type: required, fields: [x], id: quality_score}]}",
     "p.yaml:7: The id `quality_score` is the name of the asset check of `approval`. Write another `id`."),
    ("profile: yes", "p.yaml:7: `profile` in `quality` must be true or false, not 'yes'."),
]  # fmt: skip


@pytest.mark.parametrize(("quality", "message"), CASES)
def test_refused(quality: str, message: str) -> None:
    assert message in refused(quality)


def test_a_destination_that_only_removes_has_nothing_to_compare_with() -> None:
    (line,) = refused("rules: [{type: unique, fields: [x], scope: d}]", "delete")
    assert line.startswith(
        "p.yaml:7: Rule `unique_x` looks into destination `d`, which only removes rows (mode delete)"
    )


@pytest.mark.parametrize(
    ("mode", "more", "reason"),
    [
        ("update", "", "destination `d` holds others by its mode update"),
        ("merge", "transforms: [{aggregate: {values: {n: count}}}]\n", "`aggregate` makes other rows of them"),
    ],
)
def test_rows_that_never_agree_are_not_compared(mode: str, more: str, reason: str) -> None:
    (line,) = refused("rules: [{type: reconciliation, destination: d}]", mode, more)
    assert line.startswith("p.yaml:7: Rule `reconciliation` compares")
    assert reason in line

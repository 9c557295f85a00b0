"""A folder of files: what is read, what is refused across files, who waits for whom."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from platform_pipelines.errors import SpecError, SpecErrors
from platform_pipelines.spec import load_catalog, pipeline_from_file
from platform_pipelines.spec.loader import load_connectors

PIPELINE = """\
name: {name}
domain: {domain}
source: {{connector: {{type: memory}}, stream: s}}
destinations: [{{connector: {{type: logger}}}}]
triggers: {{after: [{after}]}}
"""


@pytest.fixture
def defs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "defs"
    folder.mkdir()
    return folder


def write(folder: Path, name: str, *after: str, domain: str = "default", file: str | None = None) -> Path:
    path = folder / (file or f"{name}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PIPELINE.format(name=name, domain=domain, after=", ".join(after)), encoding="utf-8")
    return path


def messages(defs: Path) -> list[str]:
    with pytest.raises(SpecErrors) as caught:
        load_catalog(defs)
    return str(caught.value).splitlines()


def test_every_file_below_the_folder_is_a_pipeline(defs: Path) -> None:
    write(defs, "b", "a", domain="travel", file="travel/deep/b.yml")
    write(defs, "a")
    write(defs, "hidden", file=".cache/hidden.yaml")
    write(defs, "hidden", file=".hidden.yaml")
    (defs / "notes.txt").write_text("not YAML: [", encoding="utf-8")
    catalog = load_catalog(defs)
    assert list(catalog.pipelines) == ["a", "b"]
    assert catalog.domains() == {"default": ("a",), "travel": ("b",)}
    assert (catalog.upstream("b"), catalog.downstream("a"), catalog.downstream("b")) == (("a",), ("b",), ())
    assert catalog.pipelines["b"].file == str(Path("defs/travel/deep/b.yml"))
    assert (catalog.defs, catalog.connectors) == (defs, {})


def test_a_folder_does_not_name_the_domain(defs: Path) -> None:
    path = write(defs, "a", file="travel/a.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("domain: default\n", ""), encoding="utf-8")
    assert load_catalog(defs).pipelines["a"].domain == "default"


def test_an_empty_folder_is_an_empty_catalog(defs: Path) -> None:
    catalog = load_catalog(defs)
    assert (catalog.pipelines, catalog.connectors, catalog.domains()) == ({}, {}, {})


def test_a_missing_folder_is_refused_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_catalog(tmp_path / "nowhere")
    assert "nowhere' does not exist. Create it, or set PIPELINES_DEFS to the right one." in str(caught.value)


def test_root_is_where_the_workspace_lies(defs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load_catalog(defs).root == tmp_path
    (defs / "workspace.yaml").mkdir()  # a folder of that name is none
    inner = tmp_path / "x" / "y"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert load_catalog(defs.parent / "x").root == inner
    (tmp_path / "workspace.yaml").write_text("load_from: []\n", encoding="utf-8")
    assert load_catalog(defs.parent / "x").root == tmp_path


def test_saved_connectors(defs: Path) -> None:
    (defs / "connectors.yaml").write_text("w: {type: duckdb, path: x}\n\npg:\n  type: postgres\n", encoding="utf-8")
    write(defs, "a")
    catalog = load_catalog(defs)
    assert [(c.name, c.type, c.config, c.file, c.line) for c in catalog.connectors.values()] == [
        ("w", "duckdb", {"type": "duckdb", "path": "x"}, str(Path("defs/connectors.yaml")), 1),
        ("pg", "postgres", {"type": "postgres"}, str(Path("defs/connectors.yaml")), 3),
    ]
    pipeline = catalog.pipelines["a"]
    assert catalog.connector(pipeline, "w").type == "duckdb"
    assert catalog.connector(pipeline, "a.source").type == "memory"
    with pytest.raises(SpecError) as caught:
        catalog.connector(pipeline, "ww")
    assert "Pipeline `a` names the unknown connector `ww`. Allowed: w, pg. Did you mean `w`?" in str(caught.value)


def test_saved_connectors_alone(defs: Path) -> None:
    assert load_connectors(defs) == {}
    (defs / "connectors.yaml").write_text("w: {type: duckdb}", encoding="utf-8")
    write(defs, "broken", "nowhere")
    assert load_connectors(defs)["w"].line == 1
    (defs / "connectors.yaml").write_text("w: {}", encoding="utf-8")
    with pytest.raises(SpecErrors, match="Connector `w` must be a mapping with a `type`"):
        load_connectors(defs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "defs/connectors.yaml:1: The file holds a list at the top, not a mapping. Write a mapping of names to connectors."),
        ("w: duckdb", "defs/connectors.yaml:1: Connector `w` must be a mapping with a `type`, not 'str'. Write `w: {type: files, …}`."),
        ("a: {type: x}\nw: {path: x}", "defs/connectors.yaml:2: Connector `w` must be a mapping with a `type`. Write `w: {type: files, …}`."),
        ("my-pg: {type: x}", "defs/connectors.yaml:1: 'my-pg' is not allowed as a name: Dagster takes letters A-Z and a-z, digits and _ in asset keys, at most 200 of them. Write `my_pg`."),
        ("a: {type: x}\na: {type: y}", "defs/connectors.yaml:2: Key `a` is written twice, first in line 1. Remove one."),
    ],
)  # fmt: skip
def test_saved_connectors_that_are_refused(defs: Path, text: str, message: str) -> None:
    (defs / "connectors.yaml").write_text(text, encoding="utf-8")
    assert messages(defs) == [message]


def test_an_empty_connectors_file_has_no_connectors(defs: Path) -> None:
    (defs / "connectors.yaml").write_text("# none yet\n", encoding="utf-8")
    assert load_catalog(defs).connectors == {}


def test_two_connectors_files_are_one_too_many(defs: Path) -> None:
    (defs / "connectors.yaml").write_text("", encoding="utf-8")
    (defs / "connectors.yml").write_text("", encoding="utf-8")
    assert messages(defs) == ["defs/connectors.yaml: There is also connectors.yml. Keep one of the two."]


def test_errors_of_all_files_come_together_in_order(defs: Path) -> None:
    (defs / "connectors.yaml").write_text("w: {}", encoding="utf-8")
    (defs / "empty.yaml").write_text("", encoding="utf-8")
    (defs / "list.yaml").write_text("# a list\n- a\n", encoding="utf-8")
    (defs / "tab.yaml").write_text("name:\n\tx", encoding="utf-8")
    (defs / "text.yaml").write_text("hello", encoding="utf-8")
    write(defs, "good")
    assert messages(defs) == [
        "defs/connectors.yaml:1: Connector `w` must be a mapping with a `type`. Write `w: {type: files, …}`.",
        "defs/empty.yaml:1: The file is empty. Write a pipeline (name, source, destinations) into it, or remove it.",
        "defs/list.yaml:1: The file holds a list at the top, not a mapping. Write a pipeline (name, source, destinations).",
        "defs/tab.yaml:2: Not valid YAML: found character that cannot start any token. Indent with spaces, not tabs.",
        "defs/text.yaml:1: The file holds 'hello' at the top, not a mapping. Write a pipeline (name, source, destinations).",
    ]


def test_a_name_is_declared_once(defs: Path) -> None:
    write(defs, "a", file="one.yaml")
    write(defs, "a", file="two.yaml")
    assert messages(defs) == ["defs/two.yaml:1: Pipeline `a` is declared twice, first in defs/one.yaml:1. Rename one."]


def test_triggers_lead_to_pipelines(defs: Path) -> None:
    write(defs, "airports")
    write(defs, "flights", "airport", "flights2")
    assert messages(defs) == [
        "defs/flights.yaml:5: Unknown pipeline `airport` in `triggers.after` of `flights`. Allowed: airports. Did you mean `airports`?",
        "defs/flights.yaml:5: Unknown pipeline `flights2` in `triggers.after` of `flights`. Allowed: airports.",
    ]


def test_a_pipeline_with_errors_is_no_unknown_pipeline(defs: Path) -> None:
    write(defs, "b", "a")
    (defs / "a.yaml").write_text("name: a\nsource: {}\n", encoding="utf-8")
    assert not [message for message in messages(defs) if "Unknown pipeline" in message]


def test_triggers_do_not_run_in_circles(defs: Path) -> None:
    write(defs, "a", "c")
    write(defs, "b", "a")
    write(defs, "c", "b")
    write(defs, "d", "a", "b", "c")
    write(defs, "e", "f")
    write(defs, "f", "e")
    assert messages(defs) == [
        "defs/b.yaml:5: Triggers form a cycle, so none of its pipelines would ever start: `b` → `c` → `a` → `b`. Remove one of them.",
        "defs/f.yaml:5: Triggers form a cycle, so none of its pipelines would ever start: `f` → `e` → `f`. Remove one of them.",
    ]


def test_a_thousand_pipelines_in_a_row_are_no_cycle(defs: Path) -> None:
    for index in range(1100):
        write(defs, f"p{index}", *([f"p{index + 1}"] if index < 1099 else []))
    assert len(load_catalog(defs).pipelines) == 1100


def test_a_file_that_cannot_be_read(defs: Path) -> None:
    (defs / "gone.yaml").symlink_to(defs / "nothing")
    assert messages(defs) == [
        "defs/gone.yaml: The file cannot be read: No such file or directory. Check the name and its permissions."
    ]


def test_a_single_file_uses_the_connectors_beside_it(defs: Path) -> None:
    path = write(defs, "a")
    path.write_text(path.read_text(encoding="utf-8").replace("{type: memory}", "w"), encoding="utf-8")
    with pytest.raises(SpecErrors) as caught:
        pipeline_from_file(path)
    assert "defs/a.yaml:3: Unknown connector `w`. Allowed: connectors.yaml has none." in str(caught.value)
    (defs / "connectors.yaml").write_text("w: {type: duckdb}", encoding="utf-8")
    assert pipeline_from_file(path).source.connector == "w"
    assert pipeline_from_file(path, load_catalog(defs)).source.connector == "w"
    with pytest.raises(SpecErrors, match=r"nope.yaml: The file cannot be read: No such file or directory."):
        pipeline_from_file(defs / "nope.yaml")


def test_a_catalog_outside_the_current_folder_shows_whole_paths(defs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (defs / "empty.yaml").write_text("", encoding="utf-8")
    monkeypatch.chdir("/")
    if not defs.is_relative_to(Path.cwd()):
        pytest.skip("everything lies below the root folder")
    assert messages(defs)[0].startswith(f"{str(defs)[1:]}/empty.yaml:1: ")
    elsewhere = defs / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert messages(defs)[0].startswith(f"{defs}/empty.yaml:1: ")


def test_a_catalog_can_be_sent_to_another_process(defs: Path) -> None:
    write(defs, "a")
    catalog = load_catalog(defs)
    copy = pickle.loads(pickle.dumps(catalog))  # noqa: S301 - our own bytes
    assert copy == catalog
    assert copy.pipelines["a"].file == catalog.pipelines["a"].file

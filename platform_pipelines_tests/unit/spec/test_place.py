from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines.errors import SpecErrors
from platform_pipelines.spec import load_catalog
from platform_pipelines.spec.narrow import load_some
from platform_pipelines.spec.place import place_of

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = """\
name: orders
source: {connector: drops, stream: orders.csv}
destinations: [{connector: drops, table: out, mode: replace}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one domain and no connections, the current folder."""
    (tmp_path / "above").mkdir()
    root = tmp_path / "above" / "project"
    (root / "defs" / "sales").mkdir(parents=True)
    (root / "workspace.yaml").touch()
    (root / "defs/sales/orders.yaml").write_text(PIPELINE)
    monkeypatch.chdir(root)
    return root


def _connections(folder: Path, name: str = "drops", file: str = "connectors.yaml") -> None:
    (folder / file).write_text(f"{name}: {{type: memory}}\n")


@pytest.mark.parametrize("file", ["connectors.yaml", "connectors.yml"])
@pytest.mark.parametrize("folder", ["defs/sales", "defs", "."])
def test_a_domain_has_the_connections_of_the_nearest_folder(project: Path, folder: str, file: str) -> None:
    _connections(project / folder, file=file)
    catalog = load_catalog(project / "defs/sales")
    assert list(catalog.connectors) == ["drops"]
    assert catalog.connectors["drops"].file == str((project / folder / file).relative_to(project))
    some = load_some(project / "defs/sales", ["orders"])
    assert some is not None
    assert list(some.connectors) == ["drops"]


def test_the_nearest_file_counts_alone(project: Path) -> None:
    _connections(project / "defs", "warehouse")
    _connections(project / "defs/sales")
    assert list(load_catalog(project / "defs/sales").connectors) == ["drops"]


@pytest.mark.parametrize("workspace", [True, False])
def test_nothing_above_the_project_is_looked_at(project: Path, *, workspace: bool) -> None:
    """Without workspace.yaml, the project is the current folder."""
    if not workspace:
        (project / "workspace.yaml").unlink()
    _connections(project.parent)
    with pytest.raises(SpecErrors) as caught:
        load_catalog(project / "defs/sales")
    assert (
        "defs/sales/orders.yaml:2: Unknown connector `drops`. Allowed: there is no connectors.yaml in defs/sales, "
        "defs or the current folder. Add it to defs/sales/connectors.yaml, or write an inline mapping {type: …}."
    ) in str(caught.value)


def test_a_folder_elsewhere_stands_alone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "workspace.yaml").unlink()
    _connections(project)
    monkeypatch.chdir(project / "defs/sales")
    assert place_of(project / "defs").looked == (project / "defs",)


def test_an_unknown_name_names_the_file_that_counts(project: Path) -> None:
    _connections(project / "defs", "drop")
    with pytest.raises(SpecErrors) as caught:
        load_catalog(project / "defs/sales")
    assert "Allowed: drop. Did you mean `drop`? Add it to defs/connectors.yaml, or" in str(caught.value)


def test_connections_of_a_domain_beside_those_of_all_are_refused(project: Path) -> None:
    """Else a name would mean another connection where the domain is a code location of its own."""
    _connections(project / "defs")
    _connections(project / "defs/sales")
    with pytest.raises(SpecErrors) as caught:
        load_catalog(project / "defs")
    (error,) = caught.value.errors
    assert str(error) == (
        "defs/sales/connectors.yaml:1: Connections are read from defs/connectors.yaml alone, so that a name means one "
        "connection; this file is not read. Move what it holds there, under names that are not taken."
    )


def test_a_pipeline_may_have_a_file_of_that_name(project: Path) -> None:
    _connections(project / "defs")
    (project / "defs/sales/orders.yaml").rename(project / "defs/sales/connectors.yaml")
    assert list(load_catalog(project / "defs").pipelines) == ["orders"]

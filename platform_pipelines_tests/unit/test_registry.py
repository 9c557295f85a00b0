from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from platform_pipelines.connectors.registry import capabilities, check_config, connector_types, open_connector
from platform_pipelines.errors import SpecError
from platform_pipelines.spec import ConnectorSpec
from platform_pipelines.spec.secrets import mask
from platform_pipelines_tests.refusals import refusal

if TYPE_CHECKING:
    from pathlib import Path


def _spec(**config: object) -> ConnectorSpec:
    return ConnectorSpec("lake", str(config["type"]), config, "connectors.yaml", 3)


def test_all_types_are_known() -> None:
    assert {"duckdb", "files", "hubspot", "logger", "memory", "postgres", "rest", "sql"} <= set(connector_types())


def test_relative_paths_lie_under_the_root(tmp_path: Path) -> None:
    connector = open_connector(_spec(type="files", root="data/lake"), tmp_path)
    assert connector.root == str(tmp_path / "data/lake")  # type: ignore[attr-defined]


def test_secrets_are_resolved_when_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_ROOT", "from-env")
    connector = open_connector(_spec(type="files", root="${env://LAKE_ROOT}"), tmp_path)
    assert connector.root == str(tmp_path / "from-env")  # type: ignore[attr-defined]


def test_configuration_is_checked_without_its_secrets() -> None:
    assert refusal(check_config, _spec(type="files", root="${env://NOT_SET_ANYWHERE}")) is None
    assert refusal(check_config, _spec(type="sql", url="${env://NOT_SET_ANYWHERE}")) is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"type": "fils"},
            "connectors.yaml:3: Connector `lake`: Unknown connector type `fils`. Allowed: .*Did you mean `files`",
        ),
        (
            {"type": "files", "rot": "x"},
            r"unknown key `rot`. Allowed: type, root, format, options. Did you mean `root`\?",
        ),
        ({"type": "files"}, "the key `root` is missing"),
        ({"type": "files", "root": "gs://b/x"}, "`root` is 'gs://b/x': .* object stores come later"),
        ({"type": "files", "root": "x", "format": "cvs"}, "`format` is 'cvs':"),
        ({"type": "files", "root": "x", "options": {"delimeter": ";"}}, "Did you mean `delimiter`"),
        ({"type": "files", "root": "x", "options": {"types": {"a": "int; drop"}}}, "is not a SQL type"),
        ({"type": "files", "root": "x", "options": {"encoding": "utf-9"}}, "unknown encoding 'utf-9'"),
        ({"type": "sql", "url": "nonsense"}, "not a SQLAlchemy URL"),
    ],
)
def test_wrong_configurations_are_explained(config: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        check_config(_spec(**config))


def test_capabilities() -> None:
    files, logger, sql = capabilities("files"), capabilities("logger"), capabilities("sql")
    assert files.source
    assert files.destination
    assert "merge" in files.modes
    assert "delimiter" in files.source_options
    assert not logger.source
    assert logger.modes == {"append"}
    assert sql.source
    assert not sql.destination
    assert sql.keys == {"type", "url"}


def test_capabilities_import_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from platform_pipelines.connectors.registry import capabilities, connector_types\n"
        "for name in ('duckdb', 'files', 'hubspot', 'logger', 'memory', 'postgres', 'rest', 'sql'): capabilities(name)\n"
        "print({'duckdb', 'pyarrow', 'pandas', 'numpy', 'sqlalchemy', 'psycopg', 'dagster', 'httpx'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


def test_a_plug_in_has_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "more-1.0.dist-info").mkdir()
    (tmp_path / "more-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 1.0\n")
    points = "[platform_pipelines.connectors]\nmore = more:More\nfiles = more:More\n"
    (tmp_path / "more-1.0.dist-info/entry_points.txt").write_text(points)
    (tmp_path / "more.py").write_text(
        "from platform_pipelines.connectors.base import Connector\nclass More(Connector): pass\n"
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from platform_pipelines.connectors.registry import connector_class, connector_types\n"
        "print(connector_class('files').__name__, connector_types()['files'].attr, connector_class('more').__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "FilesConnector FilesConnector More\n"


def test_secret_fields_are_masked_though_they_are_no_references(tmp_path: Path) -> None:
    spec = ConnectorSpec("pg", "postgres", {"type": "postgres", "dsn": "host=db password=written-out user=x"})
    open_connector(spec, tmp_path)
    assert mask("authentication with written-out failed") == "authentication with *** failed"

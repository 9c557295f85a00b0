from __future__ import annotations

import re

import pytest

from platform_pipelines.connectors.registry import connector_class, connector_types
from platform_pipelines.formats.options import TextOptions
from platform_pipelines_tests.docs.pages import ROOT

PAGE = (ROOT / "docs/reference/connectors.md").read_text()
DESCRIBED = {"files", "duckdb", "postgres", "sql", "memory", "logger", "rest", "http"}
TYPES = [name for name in connector_types() if name in DESCRIBED]


def _section(name: str) -> str:
    found = re.search(rf"^## {name}\n(.*?)(?=^## )", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"no section {name}"
    return found[1]


@pytest.mark.parametrize("name", TYPES)
def test_every_key_is_told_with_its_default(name: str) -> None:
    for key, field in connector_class(name).model_fields.items():
        if key == "type":
            continue
        rows = [line for line in _section(name).splitlines() if line.startswith(f"| `{field.alias or key}` |")]
        assert len(rows) == 1, key
        assert ("**required**" in rows[0]) == field.is_required()
        if isinstance(field.default, str | int):
            assert f"`{field.default}`" in rows[0]


@pytest.mark.parametrize("name", [*TYPES, "hubspot"])
def test_modes_and_options_are_those_of_the_connector(name: str) -> None:
    kind = connector_class(name)
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| [`{name}`]"))
    assert set(re.findall(r"append|merge|update|replace|delete", row)) == kind.modes
    assert all(f"`{option}`" in _section(name) for option in kind.source_options)


def test_options_of_text_files_are_told_with_their_defaults() -> None:
    for key, field in TextOptions.model_fields.items():
        assert f"`{key}`" in _section("files")
        if isinstance(field.default, str) and field.default:
            assert re.search(rf"`{key}` \| `{re.escape(field.default)}`", _section("files")), key

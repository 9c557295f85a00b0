"""The pages on HTTP APIs: their fragments are valid, their tables hold every key with its default."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors import rest_models, rest_paging_models
from platform_pipelines.connectors.registry import connector_class
from platform_pipelines.connectors.rest import RestConnector
from platform_pipelines.connectors.rest_preset import names
from platform_pipelines.http import auth_fixed, auth_oauth2
from platform_pipelines.http.retry import Retries
from platform_pipelines.spec.parse import parse
from platform_pipelines.spec.tree import plain
from platform_pipelines_tests.docs.pages import ROOT, Block, blocks

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE = (ROOT / "docs/reference/rest.md").read_text()
HOW_TO = ["read-an-api.md", "add-an-api-preset.md"]
FRAGMENTS = [
    pytest.param(block, id=f"{name}:{block.line}")
    for name in HOW_TO
    for block in blocks(ROOT / "docs/how-to" / name)
    if block.language == "yaml" and block.title is None and not block.body.startswith("name:")
]
TABLES = [
    ("Streams", rest_models.RestStream, ()),
    ("Pagination", rest_paging_models.Pages, ()),
    ("page", rest_paging_models.PageNumbers, ("type", "max_pages", "repeated")),
    ("offset", rest_paging_models.Offsets, ("type", "max_pages", "repeated")),
    ("cursor", rest_paging_models.CursorTokens, ("type", "max_pages", "repeated")),
    ("next_link", rest_paging_models.NextLinks, ("type", "max_pages", "repeated")),
    ("Cursor", rest_models.CursorParam, ()),
    ("Error", rest_models.ErrorBody, ()),
    ("Lookups", rest_models.Lookup, ()),
    ("Retries", Retries, ()),
]


@pytest.mark.parametrize("block", FRAGMENTS)
def test_fragments_are_valid(block: Block) -> None:
    body = plain(parse(block.body.encode(), "page"))
    whole = all(isinstance(each, dict) and "type" in each for each in body.values())
    connections = body.values() if whole else [{"streams": {"s": {"path": "/s"}}, **body}]
    for each in connections:
        kind = connector_class(each.get("type", "rest"))
        known = {} if each.get("preset") or each.get("type") == "hubspot" else {"base_url": "https://api.example.com"}
        assert isinstance(kind.model_validate({**known, **each}), RestConnector)


@pytest.mark.parametrize(("heading", "model", "left_out"), TABLES)
def test_every_key_is_told_with_its_default(heading: str, model: type[BaseModel], left_out: tuple[str, ...]) -> None:
    section = re.search(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section
    told = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section[1], re.MULTILINE))
    fields = {field.alias or name: field for name, field in model.model_fields.items() if name not in left_out}
    assert list(told) == list(fields)
    for key, field in fields.items():
        assert (told[key] == "**required**") == field.is_required(), key
        if isinstance(field.default, str | int) and not field.is_required():
            shown = str(field.default).lower() if isinstance(field.default, bool) else field.default
            assert told[key] == f"`{shown}`", key


def test_every_way_to_authenticate_is_told_with_its_keys() -> None:
    rows = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", PAGE, re.MULTILINE)}
    models: list[Any] = [auth_fixed.BearerAuth, auth_fixed.ApiKeyAuth, auth_fixed.BasicAuth]
    for model in [*models, auth_oauth2.ClientCredentialsAuth]:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        row = rows[fields.pop("type").annotation.__args__[0]]
        assert all(f"`{key}`" in row for key in fields)
    assert {"cookies", "oauth2_refresh_token"} <= rows.keys()


def test_every_preset_is_told() -> None:
    page = (ROOT / "docs/how-to/add-an-api-preset.md").read_text()
    assert re.findall(r"^\| `(\w+)`", page, re.MULTILINE) == list(names())

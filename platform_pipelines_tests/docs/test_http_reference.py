"""The pages on HTTP destinations: their fragments are valid, their tables hold every key with its default."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from platform_pipelines.connectors import http_models
from platform_pipelines.connectors.http import HttpConnector
from platform_pipelines.spec.parse import parse
from platform_pipelines.spec.tree import plain
from platform_pipelines_tests.docs.pages import ROOT, Block, blocks

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE = (ROOT / "docs/reference/http.md").read_text()
HOW_TO = "write-to-an-api.md"
FRAGMENTS = [
    pytest.param(block, id=f"{HOW_TO}:{block.line}")
    for block in blocks(ROOT / "docs/how-to" / HOW_TO)
    if block.language == "yaml" and block.title is None
]
TABLES = [
    ("Tables", http_models.HttpTable),
    ("Batch", http_models.Batch),
    ("Results", http_models.Results),
    ("Delete", http_models.Delete),
]


@pytest.mark.parametrize("block", FRAGMENTS)
def test_fragments_are_valid(block: Block) -> None:
    assert HttpConnector.model_validate(plain(parse(block.body.encode(), "page"))).tables


@pytest.mark.parametrize(("heading", "model"), TABLES)
def test_every_key_is_told_with_its_default(heading: str, model: type[BaseModel]) -> None:
    section = re.search(rf"^## {heading}\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section
    told = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section[1], re.MULTILINE))
    assert list(told) == list(model.model_fields)
    for key, field in model.model_fields.items():
        assert (told[key] == "**required**") == field.is_required(), key
        if isinstance(field.default, str | int) and not field.is_required():
            shown = str(field.default).lower() if isinstance(field.default, bool) else field.default
            assert told[key] == f"`{shown}`", key

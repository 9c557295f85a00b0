from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines_tests.api_server import ApiServer
from platform_pipelines_tests.docs.api import serve_contacts, take_people
from platform_pipelines_tests.docs.pages import ROOT, Block, blocks, pages, play

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAYED = [page for page in pages() if any(block.language == "console" for block in blocks(page))]
PIPELINES = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}:{block.line}")
    for page in pages()
    for block in blocks(page)
    if block.language == "yaml" and block.body.startswith("name:") and block.title is None
]


@pytest.fixture
def api_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An API at the address in ``API_URL``."""
    with ApiServer() as api:
        serve_contacts(api)
        take_people(api)
        monkeypatch.setenv("API_URL", api.url)
        yield


@pytest.mark.usefixtures("api_url")
@pytest.mark.parametrize("page", PLAYED, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    assert play(page, tmp_path) > 0


@pytest.mark.parametrize("block", PIPELINES)
def test_pipelines_in_pages_are_valid(block: Block, tmp_path: Path) -> None:
    body = yaml.safe_load(block.body)
    connectors = {name: ConnectorSpec(name, "memory", {"type": "memory"}) for name in _connectors(body)}
    catalog = Catalog(root=tmp_path, defs=tmp_path, connectors=connectors)
    assert pipeline_from_config(body, catalog).name == body["name"]


def _connectors(body: Any) -> Iterator[str]:
    """Names under the key `connector`, at any depth."""
    for key, value in body.items() if isinstance(body, dict) else ():
        if key == "connector" and isinstance(value, str):
            yield value
        yield from _connectors(value)
    for value in body if isinstance(body, list) else ():
        yield from _connectors(value)


def test_the_tutorial_is_played() -> None:
    assert ROOT / "docs/tutorial/first-pipeline.md" in PLAYED

"""Links and page tokens that hold the secret: a read that broke off goes on without any of them being kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from platform_pipelines_tests.api_server import Answer, ApiServer, Asked
from platform_pipelines_tests.secrets.site import PLAIN

if TYPE_CHECKING:
    from platform_pipelines_tests.secrets.site import Site

#: a read begins to hand out pages once it has seen 20
PAGES = 30


def page(number: int, api: ApiServer) -> dict[str, Any]:
    """Two rows; the next page is named by a link that repeats the key, and by a token that is the key."""
    found = [{"id": 2 * number + n, "at": f"2026-01-01T00:00:{2 * number + n:02}Z"} for n in range(2)]
    last = number == PAGES - 1
    link = None if last else f"{api.url}/items?page={number + 1}&api_key={PLAIN}"
    return {"rows": found, "link": link, "token": None if last else f"{PLAIN}-{number + 1}"}


@pytest.mark.parametrize(
    "pagination",
    [{"type": "next_link", "path": "link"}, {"type": "cursor", "param": "token", "path": "token"}],
    ids=["link", "token"],
)
def test_a_checkpoint_keeps_neither_links_nor_tokens_of_pages(
    site: Site, api: ApiServer, monkeypatch: pytest.MonkeyPatch, pagination: dict[str, str]
) -> None:
    monkeypatch.setenv("CANARY", PLAIN)
    broken = [25]

    def answer(asked: Asked) -> Answer:
        assert asked.params["api_key"] == PLAIN
        number = int(asked.params.get("page") or asked.params.get("token", "-0").rpartition("-")[2])
        if "since" in asked.params and number == 0:  # goes on behind what was landed
            number = int(asked.params["since"][17:19]) // 2
        if number in broken:
            return Answer(status=400, json={"message": f"no page {asked.params}"})
        return Answer(json=page(number, api))

    api.serve("/items", answer)
    stream = {
        "path": "/items", "records": "rows", "pagination": pagination, "order": "ascending", "cursor": {"param": "since"}
    }  # fmt: skip
    auth = {"type": "api_key", "name": "api_key", "value": "${env://CANARY}", "in": "query"}
    connection = {
        "type": "rest",
        "base_url": api.url,
        "auth": auth,
        "retries": {"max": 0},
        "streams": {"items": stream},
    }
    source = {
        "connector": "api", "stream": "items", "mode": "incremental", "cursor": {"field": "at"}, "checkpoint_pages": 1
    }  # fmt: skip
    destination = {"connector": "to", "table": "t", "mode": "merge", "key": ["id"]}
    site.declare(
        {"api": connection, "to": {"type": "files", "root": "lake"}},
        {"name": "p", "source": source, "destinations": [destination]},
    )
    assert site.type("run", "p", "--json") == 1
    assert site.type("state", "p", "--json") == 0
    assert site.leaks() == []
    broken.clear()
    asked = len(api.asked)
    assert site.type("run", "p", "--json") == 0
    assert api.asked[asked].params["since"] == "2026-01-01T00:00:49Z"
    assert site.type("state", "p", "--json") == 0
    assert site.leaks() == []
    files = site.root.glob("lake/t/*.parquet")
    assert sorted(number for file in files for number in pq.read_table(file).column("id").to_pylist()) == [*range(60)]

"""A reference to a secret in any field of any connector: it shows nowhere, whatever comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines_tests.api_server import Answer, ApiServer
from platform_pipelines_tests.secrets.fields import leaves
from platform_pipelines_tests.secrets.site import PLAIN, leak, place

if TYPE_CHECKING:
    from platform_pipelines_tests.secrets.site import Site

#: the name of a column or a folder, which rows and files are meant to bear
NAMES = {"rest.streams.*.explode", "http.state"}
PATHS = [leaf.path for leaf in leaves() if leaf.path not in NAMES]


def configuration(kind: str, api: ApiServer) -> dict[str, Any]:
    """A connection that works, or would."""
    given: dict[str, dict[str, Any]] = {
        "files": {"root": "in", "format": "csv"},
        "memory": {"data": {"a.csv": [{"id": 1}]}},
        "duckdb": {"path": "w.duckdb"},
        "postgres": {"dsn": "postgresql://127.0.0.1:1/x"},
        "sql": {"url": "sqlite:///a.db"},
        "rest": {"base_url": api.url, "retries": {"max": 0}, "streams": {"a.csv": {"path": "/x"}}},
        "http": {"base_url": api.url, "retries": {"max": 0}, "tables": {"t": {"path": "/x"}}},
        "logger": {},
    }
    return {"type": kind, **given[kind]}


@pytest.mark.parametrize("path", PATHS)
def test_no_field_shows_what_a_reference_stands_for(
    site: Site, api: ApiServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("CANARY", PLAIN)
    api.serve("*", Answer(json=[{"id": 1, "at": 1}]))
    kind = path.partition(".")[0]
    connection = place(configuration(kind, api), path, "${env://CANARY}")
    (site.root / "in").mkdir()
    (site.root / "in/a.csv").write_text("id\n1\n", encoding="utf-8")
    source, destination = ("to", "it") if kind in {"http", "logger"} else ("it", "to")
    pipeline = {
        "name": "p",
        "source": {"connector": source, "stream": "a.csv"},
        "destinations": [{"connector": destination, "table": "t"}],
    }
    site.declare({"it": connection, "to": {"type": "memory", "data": {"a.csv": [{"id": 1}]}}}, pipeline)
    for words in (("check", "--connect"), ("plan", "p", "--json"), ("run", "p", "--json"), ("status", "p", "--json")):
        site.type(*words)
    assert site.leaks() == []


def test_a_leak_would_be_seen() -> None:
    assert leak(f"password is {PLAIN}!") is not None
    assert leak("SzRuNHJZczNjcjN0OXg=") is not None
    assert leak("%4B4n4rYs3cr3t9x") is not None
    assert leak("all is well") is None

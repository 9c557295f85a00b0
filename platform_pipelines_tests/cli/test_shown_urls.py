"""URLs as a person configured them, in the texts of failures: neither who asks nor what it asks with is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from platform_pipelines.http.settings import HttpSettings
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

COMMANDS = (
    ("check",),
    ("check", "--connect"),
    ("discover", "api"),
    ("run", "p"),
    ("run", "p", "--json"),
    ("plan", "p"),
)
API = "https://api.example.com/v3"
REST = {"type": "rest", "streams": {"s": {"path": "/s"}}}
HTTP = {"type": "http", "tables": {"s": {"path": "/s"}}}
CLOSED = "http://127.0.0.1:1"


def _failures(folder: Folder, api: dict[str, Any]) -> list[str]:
    """What each command says of a pipeline from, or into, an API."""
    folder.write(
        "defs/connectors.yaml", yaml.dump({"api": api, "drops": {"type": "files", "root": "in", "format": "csv"}})
    )
    source, destination = ("api", "drops") if api["type"] == "rest" else ("drops", "api")
    pipeline = {"name": "p", "source": {"connector": source, "stream": "s.csv" if source == "drops" else "s"}}
    pipeline["destinations"] = [{"connector": destination, "table": "s", "mode": "append"}]
    folder.write("defs/p.yaml", yaml.dump(pipeline))
    folder.write("in/s.csv", "id\n1\n")
    answers = [folder.type(*command) for command in COMMANDS]
    return [answer.out + answer.err for answer in answers if answer.code]


@pytest.mark.parametrize("more", [REST, HTTP])
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"{API}?api_key=hunter2", f"{API}?…"),
        (f"{API}?anything=hun'ter2 hunter2", f"{API}?…"),
        (f"{API}#hunter2", f"{API}?…"),
        ("https://hunter2@api.example.com/v3", "https://***@api.example.com/v3"),
        ("https://u:hunter2@api.example.com/v3?a=hunter2", "https://***@api.example.com/v3?…"),
        ("ftp://u:hunter2@api.example.com/v3?token=hunter2", "ftp://***@api.example.com/v3?…"),
    ],
)
def test_a_base_url_that_is_refused(folder: Folder, more: dict[str, Any], url: str, shown: str) -> None:
    said = _failures(folder, {**more, "base_url": url})
    assert len(said) >= 3
    assert "ter2" not in "".join(said)
    assert f"`base_url` is '{shown}'" in said[0]


@pytest.mark.parametrize("more", [REST, HTTP])
def test_a_header_that_is_no_text(folder: Folder, more: dict[str, Any]) -> None:
    said = _failures(folder, {**more, "base_url": API, "headers": {"X-Api-Key": 4815162342, "X-Page": 7}})
    assert "4815162342" not in "".join(said)
    assert "`headers.X-Api-Key`" in said[0]
    assert "`headers.X-Page` is 7" in said[0]


@pytest.mark.parametrize(
    "name", ["Authorization", "Cookie", "X-Auth", "X-Secret", "X-Client-Password", "Functions-Key"]
)
def test_headers_that_tell_are_masked_wherever_they_come_back(name: str) -> None:
    with HttpSettings(base_url=API, headers={name: f"{name} canary", "Accept": "text/canary"}).client():
        pass
    assert mask(f"refused: {name} canary, text/canary") == "refused: ***, text/canary"


@pytest.mark.parametrize(
    "params",
    [{"access_token": "hunter2"}, {"subscription-key": "hunter2"}, {"clientSecret": "hunter2"}, {"sig": "hunter2"}],
)
def test_a_host_that_does_not_answer(folder: Folder, params: dict[str, str]) -> None:
    api = {"type": "rest", "base_url": CLOSED, "retries": {"max": 0}}
    ((name, value),) = params.items()
    for stream in ({"path": "/s", "params": params}, {"path": f"/s?{name}={value}"}):
        said = _failures(folder, api | {"streams": {"s": stream}})
        assert "hunter2" not in "".join(said)
        assert f"{CLOSED}/s?{name}=***" in said[-2]


@pytest.mark.parametrize("query", ["odbc_connect=UID%3Du%3BPWD%3Dhunter2", "credentials_base64=hunter2", "any=hunter2"])
def test_a_database_that_fails(folder: Folder, query: str) -> None:
    url = f"sqlite:///file:{folder.root}/none.db?mode=ro&uri=true&{query}"
    folder.write("defs/connectors.yaml", yaml.dump({"db": {"type": "sql", "url": url}}))
    answer = folder.type("discover", "db")
    assert answer.code
    assert f"sqlite:///file%3A{folder.root}/none.db cannot be reached: unable to open" in answer.err
    assert "hunter2" not in answer.err

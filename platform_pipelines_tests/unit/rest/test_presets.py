from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors.registry import check_config, open_connector
from platform_pipelines.connectors.rest import RestConnector
from platform_pipelines.connectors.rest_preset import load, names
from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.model import Stream, Window
from platform_pipelines.spec import ConnectorSpec
from platform_pipelines.testing.rows import records
from platform_pipelines_tests.api_server import Answer, ApiServer, Asked

if TYPE_CHECKING:
    from pathlib import Path

ISSUES = [
    {"id": 100 + i, "number": i, "title": f"t{i}", "state": "open", "updated_at": f"2026-01-{i + 1:02}T10:00:00Z"}
    for i in range(25)
]
DATE = {"Date": "Sat, 24 Jan 2026 12:00:00 GMT"}


def _github(api: ApiServer) -> RestConnector:
    """https://docs.github.com/en/rest/issues/issues#list-repository-issues."""

    def issues(asked: Asked) -> Answer:
        assert asked.params["sort"] == "created"
        assert asked.headers["x-github-api-version"] == "2022-11-28"
        found = [issue for issue in ISSUES if str(issue["updated_at"]) >= asked.params.get("since", "")]
        page, size = int(asked.params.get("page", 1)), 10
        query = "&".join(f"{name}={value}" for name, value in asked.params.items() if name != "page")
        link = f'<{api.url}/repositories/1/issues?{query}&page={page + 1}>; rel="next", <{api.url}/x>; rel="last"'
        headers = {**DATE, **({"Link": link} if len(found) > page * size else {})}
        return Answer(json=found[(page - 1) * size : page * size], headers=headers)

    api.serve("/repos/dagster-io/dagster/issues", issues)
    api.serve("/repositories/1/issues", issues)
    values = {"owner": "dagster-io", "repo": "dagster"}
    return RestConnector.model_validate({"preset": "github", "base_url": api.url, "values": values})


def _read(source: RestConnector, stream: str, window: Window) -> list[dict[str, Any]]:
    return records(list(source.read(Stream(stream), window, None)))


def test_github_issues_follow_the_link_header(api: ApiServer) -> None:
    found = _read(_github(api), "issues", Window())
    assert [row["number"] for row in found] == list(range(25))


def test_github_issues_since_the_watermark_until_the_read_began(api: ApiServer) -> None:
    """What changed after the first answer's date comes next time."""
    low = Cursor("timestamptz", "2026-01-03T10:00:00.5Z")
    found = _read(_github(api), "issues", Window("updated_at", low))
    assert [row["number"] for row in found] == list(range(3, 24))
    assert {asked.params["since"] for asked in api.asked} == {"2026-01-03T10:00:00Z"}


def test_stripe_charges_go_on_after_the_last_one(api: ApiServer) -> None:
    """https://docs.stripe.com/api/pagination: newest first."""
    charges = [
        {"id": f"ch_{i}", "object": "charge", "amount": 100 * i, "created": 1_700_000_000 + i} for i in range(25)
    ]

    def listed(asked: Asked) -> Answer:
        found = [c for c in reversed(charges) if int(str(c["created"])) >= int(asked.params.get("created[gte]", 0))]
        after = asked.params.get("starting_after")
        start = 0 if after is None else [c["id"] for c in found].index(after) + 1
        size = int(asked.params["limit"]) // 10
        body = {"object": "list", "url": asked.path, "data": found[start : start + size]}
        return Answer(json={**body, "has_more": start + size < len(found)})

    api.serve("/v1/*", listed)
    source = RestConnector.model_validate({"preset": "stripe", "base_url": api.url})
    for stream in ("charges", "refunds"):
        assert len(_read(source, stream, Window())) == 25
        assert api.asked[-1].path == f"/v1/{stream}"
    found = _read(source, "charges", Window("created", Cursor("int", "1700000012")))
    assert [row["id"] for row in found] == [f"ch_{i}" for i in range(24, 11, -1)]


CAPPED = {"pagination": {"type": "none"}, "cursor": {"capped": True}, "path": "/s"}


def _capped(api: ApiServer, value: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    api.serve("/s", Answer(json=[{"at": value}, {"at": "2026-01-24T11:59:50"}], headers=headers))
    source = RestConnector.model_validate({"base_url": api.url, "streams": {"s": CAPPED}})
    return _read(source, "s", Window("at", timezone="Europe/Berlin"))


def test_a_cap_knows_the_zone_of_naive_moments(api: ApiServer) -> None:
    found = _capped(api, "2026-01-24T13:00:00", DATE)
    assert [row["at"] for row in found] == [dt.datetime.fromisoformat("2026-01-24T11:59:50")]


def test_a_cap_without_the_servers_clock_is_an_error(api: ApiServer) -> None:
    with pytest.raises(InvalidData, match="the answer has no header `Date`"):
        _capped(api, "2026-01-24T13:00:00", {"Date": ""})


def test_a_cap_of_what_is_no_moment_is_an_error(api: ApiServer) -> None:
    with pytest.raises(SpecError, match="needs a cursor that is a timestamp; `at` is string"):
        _capped(api, "x", DATE)


@pytest.mark.parametrize("name", names())
def test_presets_that_ship_are_whole(name: str) -> None:
    values = {each: "x" for each, default in load(name).get("values", {}).items() if default is None}
    source = RestConnector.model_validate({"preset": name, "values": values})
    for info in source.streams():
        assert info.key == ("id",)
        assert source.plan_read(Stream(info.name), Window()).query.startswith(("GET https://", "POST https://"))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"preset": "githb"}, "there is no preset `githb`. Allowed: github, hubspot, stripe. Did you mean `github`?"),
        ({"preset": "github"}, "the preset `github` needs `values: {owner: …, repo: …}`"),
        ({"preset": "github", "values": {"ownr": "x"}}, "asks for no value `ownr`. .* Did you mean `owner`?"),
        ({"preset": "own.yaml"}, "the preset own.yaml cannot be read: No such file"),
        ({"preset": "stripe", "streams": {"charges": {"recrods": "x"}}}, "recrods"),
        ({"base_url": "https://a.example", "streams": {"*": {"path": "/x"}}}, "name one stream at least"),
        ({"base_url": "https://a.example", "streams": {"a": {"path": "/x", "whole": {"pth": "/y"}}}}, "`whole.pth`: "),
    ],
)
def test_presets_that_make_no_sense_are_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RestConnector.model_validate(config)


SIGNED = """
auth: {type: bearer, token: "${env://SHOP_TOKEN}"}
"""
OWN = """
base_url: https://shop.example
values: {shop: , tags: []}
streams:
  orders:
    path: /{shop}/orders
    params: {tags: "{tags}", note: "for {shop}"}
    pagination: {type: none}
"""


def test_a_preset_of_ones_own_is_a_file_under_the_root(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(OWN)
    api.serve("/*", lambda asked: Answer(json=[{"path": asked.path, **asked.params}]))
    streams = {"orders": {"params": {"limit": 5}}, "returns": {"path": "/{shop}/returns/{stream}"}}
    config = {"preset": "shop.yaml", "base_url": api.url, "values": {"shop": "a/b"}, "streams": streams}
    source = RestConnector.model_validate(config)
    assert _read(source, "orders", Window()) == [{"path": "/a%2Fb/orders", "note": "for a/b", "limit": "5"}]
    assert _read(source, "returns", Window()) == [{"path": "/a%2Fb/returns/returns"}]
    tagged = records(list(source.read(Stream("orders", {"values": {"tags": ["x", "y"]}}), Window(), None)))
    assert tagged[0]["tags"] == "x,y"


def test_a_lookup_of_a_field_that_is_not_there_is_an_error(api: ApiServer) -> None:
    api.serve("/names", Answer(json=[{"label": "x"}]))
    stream = {"path": "/s", "params": {"f": "{f}"}, "lookups": {"f": {"path": "/names", "field": "name"}}}
    source = RestConnector.model_validate({"base_url": api.url, "streams": {"s": stream}})
    with pytest.raises(InvalidData, match=r"the records have no field 'name'. Fields: \[\"label\"\]. Mend `lookups`."):
        _read(source, "s", Window())


def test_secrets_of_a_preset_are_resolved_and_masked(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(OWN.replace("https://shop.example", "${env://SHOP_URL}") + SIGNED)
    config = {"type": "rest", "preset": "shop.yaml", "values": {"shop": "x"}}
    spec = ConnectorSpec("shop", "rest", config)
    check_config(spec)
    monkeypatch.setenv("SHOP_URL", api.url)
    monkeypatch.setenv("SHOP_TOKEN", "canary-token-91")
    api.serve("/*", lambda asked: Answer(status=400, json={"said": asked.headers["authorization"]}))
    source = open_connector(spec, tmp_path)
    assert isinstance(source, RestConnector)
    with pytest.raises(InvalidData, match="answered 400") as caught:
        _read(source, "orders", Window())
    assert api.asked[0].headers["authorization"] == "Bearer canary-token-91"
    assert "canary-token-91" not in str(caught.value)

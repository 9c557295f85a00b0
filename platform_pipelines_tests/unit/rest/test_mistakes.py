from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines.connectors.registry import capabilities, check_config
from platform_pipelines.errors import SpecError
from platform_pipelines.spec.loader import load_catalog
from platform_pipelines_tests.refusals import refusal

if TYPE_CHECKING:
    from pathlib import Path

CONNECTORS = """\
api:
  type: rest
  base_url: https://api.example.com/v3
  auth: {type: bearer, token: "${env://API_TOKEN}"}
  retries: {max: 3}
  streams:
    contacts:
      path: /contacts
      records: results
      pagination:
        type: cursor
        param: after
        path: paging.next.after
      cursor: {param: since, format: iso8601}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (
            "records: results",
            "recrods: results",
            r"9: .*unknown key `streams.contacts.recrods`.*Did you mean `records`\?",
        ),
        (
            "param: after",
            "parm: after",
            r"12: .*unknown key `streams.contacts.pagination.parm`.*Did you mean `param`\?",
        ),
        (
            "type: cursor",
            "type: cursr",
            r"10: .*unknown type `cursr` in `streams.contacts.pagination`. Allowed: none, .*",
        ),
        ("type: bearer", "type: bearr", r"4: .*unknown type `bearr` in `auth`. Allowed: bearer, .*`bearer`\?"),
        (
            "token:",
            "tokn:",
            r"4: .*unknown key `auth.tokn`.*Did you mean `token`\? the key `auth.token` is missing.",
        ),
        ("max: 3", "mx: 3", r"5: .*unknown key `retries.mx`. Allowed: max, total, delay, max_delay. .*`max`\?"),
        ("max: 3", "max: -1", r"5: .*`retries.max` is -1: Input should be greater than or equal to 0."),
        ("iso8601", "iso", r"14: .*`streams.contacts.cursor.format` is 'iso': 'iso' is not a format."),
        ("{max: 3}", "often", r"5: .*`retries` is 'often': must be a mapping."),
        ("{max: 3}", "[often]", r"5: .*`retries` must be a mapping."),
        ("retries: {max: 3}", "preset: githb", r"1: .*there is no preset `githb`. .* Did you mean `github`\?"),
        ("path: /contacts", "method: PUT", r"7: .*the key `streams.contacts.path` is missing.*is 'PUT': .*"),
        ("https://api", "ftp://api", r"3: .*`base_url` is 'ftp://api.example.com/v3': this is not the URL of an API."),
    ],
)
def test_mistakes_are_placed_to_the_line_with_the_nearest_key(
    tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    (tmp_path / "connectors.yaml").write_text(CONNECTORS.replace(right, wrong, 1))
    with pytest.raises(SpecError, match=rf"connectors.yaml:{said}"):
        check_config(load_catalog(tmp_path).connectors["api"])


PIPELINE = """\
name: p
source:
  connector: api
  stream: STREAM
  mode: full_refresh
destinations: [{connector: {type: logger}, table: t}]
"""


@pytest.mark.parametrize(
    ("connectors", "stream", "said"),
    [
        (
            CONNECTORS,
            "contcts",
            r"p.yaml:4: Unknown stream `contcts` of connector `api` \(type rest\). .* `contacts`\?",
        ),
        ("api: {type: rest, preset: github, values: {owner: a, repo: b}}", "issus", r"Did you mean `issues`\?"),
    ],
)
def test_a_stream_that_is_not_declared_is_found_without_the_api(
    tmp_path: Path, connectors: str, stream: str, said: str
) -> None:
    (tmp_path / "connectors.yaml").write_text(connectors)
    (tmp_path / "p.yaml").write_text(PIPELINE.replace("STREAM", stream))
    with pytest.raises(SpecError, match=said):
        load_catalog(tmp_path, capabilities)


def test_any_stream_may_be_named_where_one_says_what_others_look_like(tmp_path: Path) -> None:
    (tmp_path / "connectors.yaml").write_text("api: {type: hubspot}")
    (tmp_path / "p.yaml").write_text(PIPELINE.replace("STREAM", "line_items"))
    assert load_catalog(tmp_path, capabilities).pipelines.keys() == {"p"}


def test_a_configuration_without_mistakes_passes_though_secrets_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "connectors.yaml").write_text(CONNECTORS)
    assert refusal(check_config, load_catalog(tmp_path).connectors["api"]) is None

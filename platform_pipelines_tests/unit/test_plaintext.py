from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors.plaintext import plain_secrets
from platform_pipelines.spec import ConnectorSpec
from platform_pipelines_tests.secrets.fields import secret_paths

if TYPE_CHECKING:
    from collections.abc import Mapping

CANARY = "hunter2"
_PART = re.compile(r"(?P<name>[^.<\[]+)(?:<(?P<tag>\w+)>)?(?P<listed>\[\])?")


def _config(path: str, value: str) -> tuple[dict[str, Any], str]:
    """A configuration with ``value`` at a path of ``secrets.fields``, and the field's name in it."""
    kind, _, rest = path.partition(".")
    config: dict[str, Any] = {"type": kind}
    names, place = [], config
    parts = list(_PART.finditer(rest))
    for index, part in enumerate(parts):
        name = "any" if part["name"] == "*" else part["name"]
        names.append(name)
        place[name] = value if index == len(parts) - 1 else {"type": part["tag"]} if part["tag"] else {}
        place = place[name]
    return config, ".".join(names)


def _warnings(config: Mapping[str, Any], **given: Any) -> list[str]:
    return plain_secrets(ConnectorSpec("c", config["type"], config, **given))


def _written(path: str, secret: str) -> str:
    return f"postgresql://u:{secret}@db.example/x" if path.endswith((".dsn", ".url")) else secret


@pytest.mark.parametrize("path", sorted(secret_paths()))
def test_every_secret_field_of_every_connector_is_told(path: str) -> None:
    config, field = _config(path, _written(path, CANARY))
    (warning,) = _warnings(config)
    assert f"in `{field}`." in warning
    assert CANARY not in warning
    assert "${env://NAME}" in warning


@pytest.mark.parametrize("path", sorted(secret_paths()))
@pytest.mark.parametrize(
    "reference", ["${env://PW}", "${env://PW:-default}", "${file:///run/pw}", "${gsm://projects/p/secrets/s}"]
)
def test_references_are_no_secrets(path: str, reference: str) -> None:
    assert _warnings(_config(path, _written(path, reference))[0]) == []
    assert _warnings(_config(path, reference)[0]) == []


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ({"type": "postgres", "dsn": "host=h user=u password=hunter2"}, ["dsn"]),
        ({"type": "postgres", "dsn": "host=h user=u password=${env://PW}"}, []),
        ({"type": "postgres", "dsn": "postgresql://u:hunter2@${env://HOST}/db"}, ["dsn"]),
        ({"type": "postgres", "dsn": "postgresql://u:hun/ter2@h/db"}, ["dsn"]),
        ({"type": "postgres", "dsn": "postgresql://u@h/db"}, []),
        ({"type": "postgres", "dsn": "postgresql://localhost/db"}, []),
        ({"type": "postgres", "dsn": "postgresql://u:@localhost/db"}, []),
        ({"type": "postgres", "dsn": "host=localhost user=u password="}, []),
        ({"type": "postgres", "dsn": ""}, []),
        ({"type": "sql", "url": "sqlite:////data/app.db"}, []),
        ({"type": "rest", "base_url": "https://u:hunter2@api.example/v1"}, ["base_url"]),
        ({"type": "rest", "base_url": "https://api.example:8443/v1?mail=a@b.example"}, []),
        ({"type": "rest", "base_url": "h", "auth": {"type": "basic", "username": "u", "password": ""}}, []),
        ({"type": "rest", "base_url": "h", "headers": {"Authorization": "Bearer hunter2"}}, ["headers.Authorization"]),
        ({"type": "rest", "base_url": "h", "headers": {"X-Api-Key": "Key ${env://KEY}", "Accept": "text/csv"}}, []),
        (
            {"type": "rest", "base_url": "h", "streams": {"s": {"path": "/s", "params": {"api_key": "hunter2", "limit": "9"}}}},
            ["streams.s.params.api_key"],
        ),
        ({"type": "rest", "base_url": "h", "streams": {"s": {"path": "/s", "pagination": {"type": "cursor", "param": "token"}}}}, []),
        ({"type": "files", "root": "data/secret", "format": "csv"}, []),
        ({"type": "nothing", "password": "hunter2"}, []),
    ],
)  # fmt: skip
def test_what_is_a_secret_in_plain_text(config: dict[str, Any], fields: list[str]) -> None:
    found = _warnings(config)
    assert [re.findall(r"in `([^`]*)`\.", warning) for warning in found] == [[field] for field in fields]
    assert not any("hun" in warning for warning in found)


def test_file_and_line_are_those_of_the_field() -> None:
    config = {"type": "rest", "base_url": "h", "auth": {"type": "bearer", "token": CANARY}}
    lines = {("type",): 2, ("base_url",): 3, ("auth",): 4, ("auth", "type"): 5, ("auth", "token"): 6}
    (warning,) = _warnings(config, file="defs/connectors.yaml", line=1, lines=lines)
    assert warning.startswith("defs/connectors.yaml:6: Connector `c` holds a secret in plain text, in `auth.token`.")

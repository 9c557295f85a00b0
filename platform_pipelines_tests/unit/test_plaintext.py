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
@pytest.mark.parametrize("written", ["${env://PW:-hunter2}", "hunter2${env://PW}", "${env://PW}hunter2"])
def test_a_default_and_what_stands_at_a_reference_can_be_read(path: str, written: str) -> None:
    config, field = _config(path, _written(path, written))
    whole = not path.endswith((".dsn", ".url"))
    found = _warnings(config)
    assert [f"in `{field}`." in each and CANARY not in each for each in found] == (
        [True] if whole or ":-" in written else []
    )


@pytest.mark.parametrize("path", sorted(secret_paths()))
@pytest.mark.parametrize(
    "reference", ["${env://PW}", "${env://PW:-}", "${file:///run/pw}", "${gsm://projects/p/secrets/s}"]
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


SQL = {"type": "sql"}
REST = {"type": "rest", "base_url": "https://api.example/v1"}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"type": "postgres", "dsn": "host=h password='hunt er2'"}, 1),
        ({"type": "postgres", "dsn": "host=h password=${env://PW:-hunter2}"}, 1),
        ({"type": "postgres", "dsn": "${env://DSN:-postgresql://u:hunter2@localhost/db}"}, 1),
        ({"type": "postgres", "dsn": "postgresql://h/db?user=u&password=hunter2"}, 1),
        ({"type": "postgres", "dsn": "postgresql://u@h/db?sslpassword=hunter2"}, 1),
        (SQL | {"url": "mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BUID%3Du%3BPWD%3Dhunter2"}, 1),
        (SQL | {"url": "mssql+pyodbc:///?odbc_connect=PWD%3D%7Bhunter2%7D"}, 1),
        (SQL | {"url": "bigquery://p?credentials_base64=aHVudGVyMg=="}, 1),
        (REST | {"base_url": "https://api.example/v1?api_key=hunter2"}, 1),
        (REST | {"streams": {"s": {"path": "/s?limit=1&access_token=hunter2"}}}, 1),
        ({"type": "postgres", "dsn": "${env://DSN:-postgresql://localhost/db}"}, 0),
        ({"type": "postgres", "dsn": "postgresql://u@h/db?passfile=/x&application_name=password=1"}, 0),
        ({"type": "postgres", "dsn": "host=h user=password dbname=pwd password=''"}, 0),
        (SQL | {"url": "mssql+pyodbc:///?odbc_connect=UID%3Du%3BPWD%3D${env://PW}"}, 0),
        (REST | {"streams": {"s": {"path": "/s?page_token=first&access_token=${env://T}"}}}, 0),
        (REST | {"streams": {"s": {"path": "/s", "body": {"note": "https://u:p@h"}}}}, 0),
    ],
)
def test_passwords_in_connection_strings_and_urls(config: dict[str, Any], told: int) -> None:
    found = _warnings(config)
    assert len(found) == told
    assert "hunt" not in "".join(found)


@pytest.mark.parametrize("place", ["headers", "params", "body"])
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        *((name, CANARY, 1) for name in ("sig", "accessToken", "clientSecret", "apikey", "password", "X-API-Key")),
        *((name, CANARY, 1) for name in ("X-Auth", "Private-Key", "Ocp-Apim-Subscription-Key", "X-Auth-Token")),
        *((name, "first", 0) for name in ("page_token", "next_token", "nextPageToken", "X-CSRF-Token")),
        *((name, "json", 0) for name in ("Cookie-Policy", "grant_type", "X-Token-Type", "key", "primary_key")),
        ("include_secret", "false", 0),
        ("with_password", "no", 0),
        ("no_cookie", "1", 0),
        ("auth", "true", 0),
        ("token", "{tok}", 0),
        ("Authorization", "Bearer {tok}", 0),
        ("Authorization", "Bearer ${env://T}", 0),
        ("Authorization", "Bearer ${env://T:-hunter2}", 1),
    ],
)
def test_headers_parameters_and_bodies_tell_by_their_names(place: str, name: str, value: str, told: int) -> None:
    for config in (
        REST | {"streams": {"s": {"path": "/s", place: {name: value}}}},
        {"type": "http", "base_url": "https://h", "tables": {"s": {"path": "/s", place: {name: value}}}},
    ):
        found = _warnings(config)
        assert [f"s.{place}.{name}`." in each and CANARY not in each for each in found] == [True] * told


def test_bodies_are_looked_into() -> None:
    table = {"path": "/s", "batch": {"body": {"all": [{"login": {"api_key": CANARY}}]}}}
    (warning,) = _warnings({"type": "http", "base_url": "https://h", "tables": {"s": table}})
    assert "in `tables.s.batch.body.all.0.login.api_key`." in warning


def test_file_and_line_are_those_of_the_field() -> None:
    config = {"type": "rest", "base_url": "h", "auth": {"type": "bearer", "token": CANARY}}
    lines = {("type",): 2, ("base_url",): 3, ("auth",): 4, ("auth", "type"): 5, ("auth", "token"): 6}
    (warning,) = _warnings(config, file="defs/connectors.yaml", line=1, lines=lines)
    assert warning.startswith("defs/connectors.yaml:6: Connector `c` holds a secret in plain text, in `auth.token`.")

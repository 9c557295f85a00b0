from __future__ import annotations

import base64
import itertools
import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.errors import ConnectError, InvalidData, PipelinesError, StoreCorrupt
from platform_pipelines.http.exchange import Request
from platform_pipelines.http.settings import HttpSettings
from platform_pipelines_tests.api_server import Answer, ApiServer, Asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = {"max": 2, "total": "20s", "delay": 0.01, "max_delay": 0.02}
CLIENT = {"type": "oauth2_client_credentials", "client_id": "me", "client_secret": "canary-secret-1"}
REFRESH = {
    "type": "oauth2_refresh_token",
    "client_id": "me",
    "client_secret": "canary-secret-2",
    "refresh_token": "canary-refresh-0",
}


class Tokens:
    """A token endpoint with single-use refresh tokens, and an API that takes the newest access token only."""

    def __init__(self, api: ApiServer, expires_in: object = 3600) -> None:
        self.api = api
        self.expires_in = expires_in
        self.good_refresh = "canary-refresh-0"
        self.good_access = ""
        self.numbers = itertools.count(1)
        api.serve("/token", self.token)
        api.serve("/fine", self.fine)

    def token(self, asked: Asked) -> Answer:
        form = asked.form()
        if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.good_refresh:
            return Answer(status=400, json={"error": "invalid_grant", "refresh_token": form["refresh_token"]})
        number = next(self.numbers)
        self.good_access = f"canary-access-{number}"
        body = {"access_token": self.good_access, "expires_in": self.expires_in}
        if form["grant_type"] == "refresh_token":
            self.good_refresh = body["refresh_token"] = f"canary-refresh-{number}"
        return Answer(json=body)

    def fine(self, asked: Asked) -> Answer:
        good = asked.headers.get("authorization") == f"Bearer {self.good_access}"
        return Answer(json={"fine": True}) if good else Answer(status=401, json={"message": "who are you?"})


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        server.serve("/fine", Answer(json={"fine": True}))
        yield server


def _settings(api: ApiServer, auth: dict[str, Any], state: Path | None = None) -> HttpSettings:
    if auth["type"].startswith("oauth2"):
        auth = {"token_url": f"{api.url}/token", **auth}
    keys = {"base_url": api.url, "auth": auth, "retries": QUICK, "state": str(state) if state else None}
    return HttpSettings.model_validate(keys)


def _ask(settings: HttpSettings) -> Any:
    with settings.client() as client:
        return client.send(Request("GET", "/fine")).json()


@pytest.mark.parametrize(
    ("auth", "header", "expected"),
    [
        ({"type": "bearer", "token": "canary-1"}, "authorization", "Bearer canary-1"),
        ({"type": "api_key", "name": "X-Key", "value": "canary-1"}, "x-key", "canary-1"),
        (
            {"type": "basic", "username": "me", "password": "canary-1"},
            "authorization",
            "Basic " + base64.b64encode(b"me:canary-1").decode(),
        ),
        ({"type": "cookies", "session": "canary-1", "lang": "en"}, "cookie", "session=canary-1; lang=en"),
        ({"type": "cookies", "cookies": {"session": "canary-1"}}, "cookie", "session=canary-1"),
    ],
)
def test_fixed_credentials_are_sent(api: ApiServer, auth: dict[str, Any], header: str, expected: str) -> None:
    _ask(_settings(api, auth))
    assert api.asked[0].headers[header] == expected


def test_a_key_in_the_query_is_sent(api: ApiServer) -> None:
    _ask(_settings(api, {"type": "api_key", "name": "key", "value": "canary-1", "in": "query"}))
    assert api.asked[0].params == {"key": "canary-1"}


def test_a_client_gets_its_token_once(api: ApiServer) -> None:
    Tokens(api)
    settings = _settings(api, {**CLIENT, "scope": "read", "params": {"audience": "x"}})
    assert [_ask(settings), _ask(settings)] == [{"fine": True}] * 2
    assert api.count("/token") == 1
    assert api.asked[0].form() == {
        "grant_type": "client_credentials",
        "client_id": "me",
        "client_secret": "canary-secret-1",
        "scope": "read",
        "audience": "x",
    }


def test_a_client_may_name_itself_in_a_basic_header(api: ApiServer) -> None:
    Tokens(api)
    _ask(_settings(api, {**CLIENT, "client_auth": "basic"}))
    assert base64.b64decode(api.asked[0].headers["authorization"].removeprefix("Basic ")) == b"me:canary-secret-1"
    assert "client_secret" not in api.asked[0].form()


@pytest.mark.parametrize("expires_in", [0, "0"])
def test_an_expired_token_is_renewed_before_it_is_used(api: ApiServer, expires_in: object) -> None:
    Tokens(api, expires_in)
    settings = _settings(api, CLIENT)
    _ask(settings)
    _ask(settings)
    assert api.count("/token") == 2


@pytest.mark.parametrize("expires_in", ["soon", [], {}])
def test_a_lifetime_that_is_no_number_is_none(api: ApiServer, expires_in: object) -> None:
    Tokens(api, expires_in)
    settings = _settings(api, CLIENT)
    _ask(settings)
    assert api.count("/token") == 1


def test_a_refused_token_is_renewed_once(api: ApiServer) -> None:
    tokens = Tokens(api)
    settings = _settings(api, CLIENT)
    _ask(settings)
    tokens.good_access = "another"
    assert _ask(settings) == {"fine": True}
    api.serve("/fine", Answer(status=401))
    with pytest.raises(ConnectError, match="credentials are refused"):
        _ask(settings)
    assert api.count("/token") == 3


def test_a_token_endpoint_that_stumbles_is_asked_again(api: ApiServer) -> None:
    Tokens(api)
    api.queue(Answer(status=503), Answer(fault="close"))
    assert _ask(_settings(api, CLIENT)) == {"fine": True}


def test_a_rotated_token_is_on_disk_before_it_is_used(api: ApiServer, tmp_path: Path) -> None:
    tokens = Tokens(api)
    kept: list[dict[str, Any]] = []

    def fine(asked: Asked) -> Answer:
        kept.append(json.loads(next((tmp_path / "tokens").glob("*.json")).read_bytes()))
        return tokens.fine(asked)

    api.serve("/fine", fine)
    _ask(_settings(api, REFRESH, tmp_path))
    assert [each["refresh_token"] for each in kept] == ["canary-refresh-1"]


def test_the_next_process_goes_on_with_the_rotated_token(api: ApiServer, tmp_path: Path) -> None:
    tokens = Tokens(api, expires_in=0)
    for _ in range(3):
        assert _ask(_settings(api, REFRESH, tmp_path)) == {"fine": True}
    assert tokens.good_refresh == "canary-refresh-3"


def test_a_token_that_another_process_renewed_is_used_as_it_is(api: ApiServer, tmp_path: Path) -> None:
    Tokens(api)
    settings = [_settings(api, REFRESH, tmp_path) for _ in range(6)]
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda each=each: answers.append(_ask(each))) for each in settings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"fine": True}] * 6
    assert api.count("/token") == 1


def test_without_a_folder_a_rotated_token_lives_as_long_as_the_process(api: ApiServer) -> None:
    Tokens(api, expires_in=0)
    settings = _settings(api, REFRESH)
    assert [_ask(settings), _ask(settings)] == [{"fine": True}] * 2


def test_token_files_are_for_their_owner_only(api: ApiServer, tmp_path: Path) -> None:
    Tokens(api)
    _ask(_settings(api, REFRESH, tmp_path))
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "tokens").iterdir()} == {0o600}


def test_a_new_first_token_begins_anew(api: ApiServer, tmp_path: Path) -> None:
    tokens = Tokens(api, expires_in=0)
    _ask(_settings(api, REFRESH, tmp_path))
    tokens.good_refresh = "canary-refresh-new"
    assert _ask(_settings(api, {**REFRESH, "refresh_token": "canary-refresh-new"}, tmp_path)) == {"fine": True}


def test_a_token_that_cannot_be_saved_is_not_used(api: ApiServer, tmp_path: Path) -> None:
    Tokens(api)
    (tmp_path / "tokens").write_text("a file, not a folder")
    with pytest.raises(ConnectError, match="cannot be saved at"):
        _ask(_settings(api, REFRESH, tmp_path))
    assert not api.asked


def test_a_damaged_token_file_is_an_error_without_its_content(api: ApiServer, tmp_path: Path) -> None:
    Tokens(api)
    _ask(_settings(api, REFRESH, tmp_path))
    file = next((tmp_path / "tokens").glob("*.json"))
    file.write_text('{"refresh_token": "canary-damaged')
    with pytest.raises(StoreCorrupt, match="does not hold tokens as they were saved") as caught:
        _ask(_settings(api, REFRESH, tmp_path))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (Answer(status=400, json={"error": "invalid_grant"}), ConnectError, "authorize anew"),
        (Answer(status=401, json={"error": "invalid_client"}), ConnectError, "See whether `client_id`"),
        (Answer(json={"token": "x"}), InvalidData, "gave no `access_token`"),
        (Answer(content=b"<html>"), InvalidData, "HTML or XML"),
    ],
)
def test_a_token_endpoint_that_refuses_is_an_error(
    api: ApiServer, answer: Answer, error: type[PipelinesError], said: str
) -> None:
    api.serve("/token", answer)
    with pytest.raises(error, match=said):
        _ask(_settings(api, CLIENT))


SECRETS = [
    {"type": "bearer", "token": "canary-77"},
    {"type": "api_key", "name": "key", "value": "canary-77", "in": "query"},
    {"type": "api_key", "name": "X-Key", "value": "canary-77"},
    {"type": "basic", "username": "me", "password": "canary-77"},
    {"type": "cookies", "session": "canary-77"},
    {**CLIENT, "client_secret": "canary-77"},
    {**REFRESH, "refresh_token": "canary-77"},
]


@pytest.mark.parametrize("auth", SECRETS, ids=lambda auth: auth["type"])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500])
def test_errors_and_logs_hold_no_secret(
    api: ApiServer, auth: dict[str, Any], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The server sends back everything that it was sent."""
    caplog.set_level(logging.DEBUG)

    def echo(asked: Asked) -> Answer:
        sent = {"params": asked.params, "headers": asked.headers, "body": asked.body.decode()}
        headers = {"Location": f"http://other.example/?key={asked.params.get('key')}", "Retry-After": "99"}
        return Answer(status=status, content=f"! {json.dumps(sent)}".encode(), headers=headers)

    api.serve("/fine", echo)
    api.serve("/token", echo)
    with pytest.raises(PipelinesError) as caught:
        _ask(_settings(api, auth))
    assert any(
        "canary-77" in f"{asked.params} {asked.headers} {asked.body!r}" or "basic" in auth["type"]
        for asked in api.asked
    )
    assert "canary" not in f"{caught.value} {caplog.text} {caught.value.__cause__} {caught.value.__context__}"


def test_secrets_of_no_registered_value_are_masked_by_name(api: ApiServer) -> None:
    api.serve("/fine", Answer(status=400, json={"access_token": "canary-a", "detail": "/x?api_key=canary-b&page=1"}))
    with pytest.raises(InvalidData) as caught:
        _ask(_settings(api, {"type": "bearer", "token": "t-12345"}))
    assert "canary" not in str(caught.value)
    assert "page=1" in str(caught.value)


def test_a_model_shows_no_secret(api: ApiServer) -> None:
    for auth in SECRETS:
        assert "canary" not in repr(_settings(api, auth))

from __future__ import annotations

import datetime as dt
import email.utils
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.errors import ConnectError, InvalidData
from platform_pipelines.http.exchange import Request, Response
from platform_pipelines.http.rate import Limiter, rate
from platform_pipelines.http.retry import PassingFault, Retries, retry_after
from platform_pipelines.http.settings import HttpSettings
from platform_pipelines_tests.api_server import Answer, ApiServer
from platform_pipelines_tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = {"max": 3, "total": "20s", "delay": 0.01, "max_delay": 0.02}
FINE = Answer(json={"fine": True})


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        server.serve("/fine", FINE)
        yield server


def _settings(api: ApiServer, **keys: Any) -> HttpSettings:
    return HttpSettings.model_validate({"base_url": api.url, "retries": QUICK, **keys})


def _send(api: ApiServer, request: Request | None = None, **keys: Any) -> Response:
    with _settings(api, **keys).client() as client:
        return client.send(request or Request("GET", "/fine"))


def test_an_answer_is_returned(api: ApiServer) -> None:
    assert _send(api).json() == {"fine": True}


def test_query_and_body_arrive(api: ApiServer) -> None:
    api.serve("/echo", lambda asked: Answer(json={"params": asked.params, "body": asked.json()}))
    request = Request("POST", "/echo?a=1&b=2", params=(("b", "3"), ("c", "ä &")), json={"n": 1})
    assert _send(api, request).json() == {"params": {"a": "1", "b": "3", "c": "ä &"}, "body": {"n": 1}}


@pytest.mark.parametrize(
    "fault",
    [
        Answer(status=429),
        Answer(status=500),
        Answer(status=502),
        Answer(status=503, headers={"Retry-After": "0"}),
        Answer(status=503, headers={"Retry-After": "-1"}),
        Answer(status=429, headers={"Retry-After": "0.01"}),
        Answer(status=429, headers={"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}),
        Answer(status=429, headers={"Retry-After": "soon"}),
        Answer(fault="close"),
        Answer(fault="reset"),
        Answer(fault="cut", content=b'{"fine":'),
        Answer(status=200, content=b"no gzip", headers={"Content-Encoding": "gzip"}),
    ],
    ids=lambda answer: f"{answer.status} {answer.fault} {dict(answer.headers)}",
)
def test_what_may_pass_is_tried_again(api: ApiServer, fault: Answer) -> None:
    api.queue(fault, fault)
    assert _send(api).json() == {"fine": True}
    assert api.count("/fine") == 3


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "later"}, None),
        ({}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT", "date": "Wed, 21 Oct 2015 07:27:50 GMT"}, 10.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:27:00 GMT", "date": "Wed, 21 Oct 2015 07:27:50 GMT"}, None),
        (
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1445412480", "date": "Wed, 21 Oct 2015 07:27:50 GMT"},
            10.0,
        ),
        (
            {"x-ratelimit-remaining": "5", "x-ratelimit-reset": "1445412480", "date": "Wed, 21 Oct 2015 07:27:50 GMT"},
            None,
        ),
    ],
)
def test_what_the_server_asks_to_wait(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after(headers) == expected


def test_a_date_without_the_servers_clock_is_compared_with_ours() -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=100)
    found = retry_after({"retry-after": email.utils.format_datetime(soon, usegmt=True)})
    assert found is not None
    assert 0 < found <= 100


def test_our_own_wait_doubles_and_is_capped() -> None:
    waits: list[float] = []
    policy = Retries(max=5, delay=0.001, max_delay=0.004)

    def attempt() -> None:
        waits.append(time.monotonic())
        message = "busy"
        raise PassingFault(message)

    with pytest.raises(ConnectError, match="busy. Given up after 6 tries"):
        policy.run(attempt)
    assert len(waits) == 6


def test_a_wait_beyond_the_total_ends_at_once(api: ApiServer) -> None:
    api.queue(Answer(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(ConnectError, match=r"answered 429. The server asks to wait 3600 s. Given up after 1 try"):
        _send(api)


def test_a_server_that_keeps_failing_is_given_up(api: ApiServer) -> None:
    api.queue(*[Answer(status=503)] * 9)
    with pytest.raises(ConnectError, match="/fine answered 503. Given up after 4 tries"):
        _send(api)


def test_a_403_that_is_a_rate_limit_is_waited_for(api: ApiServer) -> None:
    reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(time.time() + 0.05)}
    api.queue(Answer(status=403, headers=reset), Answer(status=403, headers={"Retry-After": "0"}))
    assert _send(api).json() == {"fine": True}


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (400, InvalidData, "not as the API wants it"),
        (401, ConnectError, "credentials are refused"),
        (403, ConnectError, "may not do this"),
        (404, InvalidData, "There is no such path"),
        (418, InvalidData, "See the API's documentation"),
        (501, ConnectError, "See the API's documentation"),
    ],
)
def test_what_will_not_pass_is_an_error_at_once(api: ApiServer, status: int, error: type[Exception], said: str) -> None:
    api.queue(Answer(status=status, json={"message": "no, because"}))
    with pytest.raises(error, match=said) as caught:
        _send(api)
    assert "no, because" in str(caught.value)
    assert api.count("/fine") == 1


def test_a_status_that_is_allowed_is_returned(api: ApiServer) -> None:
    api.queue(Answer(status=409, json={"why": "exists"}))
    with _settings(api).client() as client:
        assert client.send(Request("GET", "/fine"), allow={409}).json() == {"why": "exists"}


def test_an_answer_that_the_caller_refuses_is_asked_for_again(api: ApiServer) -> None:
    api.queue(Answer(json={"fine": False}))

    def check(response: Response) -> None:
        if not response.json()["fine"]:
            message = "not fine yet"
            raise PassingFault(message)

    with _settings(api).client() as client:
        assert client.send(Request("GET", "/fine"), check=check).json() == {"fine": True}


def test_nobody_listening_is_a_connect_error() -> None:
    settings = HttpSettings.model_validate({"base_url": f"http://127.0.0.1:{free_port()}", "retries": QUICK})
    with settings.client() as client, pytest.raises(ConnectError, match="no answer .ConnectError"):
        client.send(Request("GET", "/fine"))


@pytest.mark.parametrize("fault", [Answer(fault="close"), Answer(status=500)])
def test_what_may_not_be_sent_twice_is_not(api: ApiServer, fault: Answer) -> None:
    api.queue(fault)
    with pytest.raises(ConnectError):
        _send(api, Request("POST", "/fine", json={}, repeatable=False))
    assert api.count("/fine") == 1


@pytest.mark.parametrize("status", [429, 503])
def test_what_was_surely_not_done_is_sent_again(api: ApiServer, status: int) -> None:
    api.queue(Answer(status=status))
    assert _send(api, Request("POST", "/fine", json={}, repeatable=False)).json() == {"fine": True}


def test_redirects_within_the_origin_are_followed(api: ApiServer) -> None:
    api.serve("/old", Answer(status=302, headers={"Location": "/fine"}))
    assert _send(api, Request("GET", "/old")).json() == {"fine": True}


def test_redirects_that_go_in_a_circle_end(api: ApiServer) -> None:
    api.serve("/old", Answer(status=302, headers={"Location": "/old"}))
    with pytest.raises(InvalidData, match="redirected more than 5 times"):
        _send(api, Request("GET", "/old"))


def test_credentials_stay_with_their_origin(api: ApiServer) -> None:
    auth = {"type": "bearer", "token": "canary-9431"}
    with ApiServer() as other:
        other.serve("/fine", FINE)
        api.serve("/old", Answer(status=302, headers={"Location": f"{other.url}/fine"}))
        for request in (Request("GET", "/old"), Request("GET", f"{other.url}/fine")):
            with pytest.raises(InvalidData, match="not of the origin of `base_url`"):
                _send(api, request, auth=auth)
        assert not other.asked


def test_a_post_is_not_redirected(api: ApiServer) -> None:
    api.serve("/old", Answer(status=308, headers={"Location": "/fine"}))
    with pytest.raises(InvalidData, match="Only GET is followed"):
        _send(api, Request("POST", "/old", json={}))


def test_no_stretch_of_time_sees_more_requests_than_the_rate() -> None:
    limiter = Limiter(rate("5/s"))
    before, after = [], []
    for _ in range(7):
        before.append(time.monotonic())
        limiter.wait()
        after.append(time.monotonic())
    assert after[5] - before[0] >= 1
    assert after[6] - before[1] >= 1


def test_requests_keep_to_the_rate_whoever_sends_them(api: ApiServer) -> None:
    settings = _settings(api, rate_limit="3/s", concurrency=4)
    started = time.monotonic()
    for _ in range(2):
        with settings.client() as client:
            client.send(Request("GET", "/fine"))
            client.send(Request("GET", "/fine"))
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("written", ["10", "0/s", "ten/s", "10/fortnight", "5/0s", 10])
def test_a_rate_that_is_none_is_refused(api: ApiServer, written: object) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        _settings(api, rate_limit=written)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("api.example.com", "Write it like https"),
        ("https://u:p@api.example.com", "must not hold a user"),
        ("ftp://x", "Write it"),
        ("https://a.example/v1?key=1", "ends with its path"),
    ],
)
def test_a_base_url_that_is_none_is_refused(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        HttpSettings(base_url=url)


def test_next_link_of_a_link_header_becomes_absolute(api: ApiServer) -> None:
    link = '</fine?page=1>; rel="first", </fine?page=3>; rel="next"'
    api.serve("/linked", Answer(json=[], headers={"Link": link}))
    response = _send(api, Request("GET", "/linked"))
    assert response.absolute(response.next_link or "") == f"{api.url}/fine?page=3"


@pytest.mark.parametrize("link", ["http://127.0.0.1:port/x", "http://127.0.0.1:999999/", "http://[::1/x"])
def test_a_link_that_is_no_url_is_an_error(api: ApiServer, link: str) -> None:
    with pytest.raises(InvalidData, match="which is no URL"):
        _send(api).absolute(link)


def test_a_redirect_to_what_is_no_url_is_an_error(api: ApiServer) -> None:
    api.serve("/moved", Answer(status=302, headers={"Location": "http://127.0.0.1:999999/"}))
    with pytest.raises(InvalidData, match="which is no URL: Port out of range"):
        _send(api, Request("GET", "/moved"))


@pytest.mark.parametrize("status", [430, 460, 499])
def test_a_status_that_no_standard_knows_is_told(api: ApiServer, status: int) -> None:
    api.serve("/odd", Answer(status=status))
    with pytest.raises(InvalidData, match=f"answered {status}. See the API's documentation of this status."):
        _send(api, Request("GET", "/odd"))


def test_a_header_that_cannot_be_sent_is_an_error_at_once_without_its_secret(api: ApiServer) -> None:
    with pytest.raises(InvalidData, match="a header cannot be sent") as caught:
        _send(api, auth={"type": "bearer", "token": "canary-77\n"})
    assert "canary-77" not in str(caught.value)
    assert not api.asked


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>login</html>", "HTML or XML"),
        (b'{"a": [1, 2', "JSON that is cut off"),
        (b"", "an empty body"),
        (b"OK", "something that is no JSON"),
    ],
)
def test_a_body_that_is_no_json_is_told_for_what_it_is(api: ApiServer, body: bytes, said: str) -> None:
    api.queue(Answer(content=body))
    with pytest.raises(InvalidData, match=said):
        _send(api).json()


def test_logs_of_the_http_library_hold_no_secret(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _send(api, auth={"type": "api_key", "name": "key", "value": "canary-5530", "in": "query"})
    assert api.asked[0].params == {"key": "canary-5530"}
    assert "/fine" in caplog.text
    assert "canary-5530" not in caplog.text

"""Secrets in the fields made for them, on every way in which a system can fail: they show nowhere."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest

from platform_pipelines.api.pipeline import Pipeline
from platform_pipelines.connectors.registry import open_connector
from platform_pipelines.errors import PipelinesError
from platform_pipelines.spec import ConnectorSpec
from platform_pipelines_tests.api_server import Answer, ApiServer, Asked
from platform_pipelines_tests.secrets.fields import secret_paths
from platform_pipelines_tests.secrets.site import NASTY, TAGGED, leak, place, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from platform_pipelines_tests.secrets.site import Site

REST = sorted(path for path in secret_paths() if path.startswith("rest."))
COMMANDS = (
    ("check", "--connect"),
    ("discover", "it"),
    ("plan", "p", "--json"),
    ("preview", "p", "--limit", "3"),
    ("run", "p", "--json"),
    ("run", "p"),
    ("state", "p", "--json"),
    ("status", "p", "--json"),
    ("dead-letters", "p", "--json"),
)
#: where the secret stands: behind a reference, or in the YAML for all to read
WRITTEN = ("${env://CANARY}", NASTY)


HTTP = sorted(path for path in secret_paths() if path.startswith("http."))


def test_every_secret_field_is_attacked() -> None:
    assert secret_paths() - set(REST) - set(HTTP) == {"postgres.dsn", "sql.url"}


def echo(asked: Asked) -> dict[str, Any]:
    """An API that shows what it was sent, secrets and all."""
    return {"message": "no", "headers": asked.headers, "params": asked.params, "body": asked.body.decode()}


def moved(asked: Asked) -> Answer:
    there = f"http://127.0.0.1:1/elsewhere?{'&'.join(f'{k}={quote(v)}' for k, v in asked.params.items())}"
    return Answer(status=302, headers={"Location": there})


def html(asked: Asked) -> Answer:
    return Answer(content=f"<html>{echo(asked)}</html>".encode(), headers={"Content-Type": "text/html"})


def paged(asked: Asked) -> Answer:
    """A page whose link to the next one holds the secret; the next one is refused."""
    if "page" in asked.params:
        return Answer(status=403, json=echo(asked))
    query = "&".join(f"{name}={quote(value)}" for name, value in asked.params.items())
    return Answer(json={"items": [{"id": 1, "at": 1}], "next": f"/x?page=2&{query}"})


FAULTS: dict[str, Callable[[Asked], Answer]] = {
    "refused": lambda asked: Answer(status=401, json=echo(asked)),
    "bad request": lambda asked: Answer(status=400, json=echo(asked)),
    "broken": lambda asked: Answer(status=500, json=echo(asked)),
    "no records": lambda asked: Answer(json=echo(asked)),
    "html": html,
    "cut": lambda asked: Answer(json=echo(asked), fault="cut"),
    "reset": lambda _: Answer(fault="reset"),
    "moved": moved,
    "second page": paged,
}


def site_of(site: Site, connection: dict[str, Any], stream: str, **more: Any) -> None:
    """A pipeline from the connection into another."""
    pipeline = {
        "name": "p",
        "source": {"connector": "it", "stream": stream, **more},
        "destinations": [{"connector": "to", "table": "t", "mode": "append"}],
    }
    site.declare({"it": connection, "to": {"type": "files", "root": "out"}}, pipeline)


def attack(site: Site, commands: tuple[tuple[str, ...], ...] = COMMANDS) -> list[int]:
    """The exit codes of commands, whose output the site keeps."""
    return [site.type(*words) for words in commands]


def chains(site: Site, connection: dict[str, Any], stream: str, options: dict[str, Any] | None = None) -> list[str]:
    """The errors that the Python API tells of, each with everything that it is chained to."""
    source = {"connector": "it", "stream": stream, "options": options or {}}
    config = {"name": "q", "source": source, "destinations": [{"connector": "to", "table": "t"}]}
    saved = {"it": connection, "to": {"type": "memory", "space": "canary"}}
    made = Pipeline.from_config(config, connectors=saved, store=site.root / "store")
    return [shown(error) for error in made.run().report.errors]


def rest(api: ApiServer, path: str, written: str) -> dict[str, Any]:
    stream = {"path": "/x", "records": "items", "pagination": {"type": "next_link", "path": "next"}}
    return connected(api, path, written, {"type": "rest", "streams": {"items": stream}})


def connected(api: ApiServer, path: str, written: str, kind_of_api: dict[str, Any]) -> dict[str, Any]:
    """A connection to the API, with the canary in the field at the path."""
    connection = {"base_url": api.url, "retries": {"max": 0}, "timeout": "0.5s", **kind_of_api}
    place(connection, path, written)
    kind = connection["auth"]["type"]
    connection["auth"] = {**TAGGED[kind], **connection["auth"]}
    if "token_url" in connection["auth"]:
        connection["auth"]["token_url"] = f"{api.url}/token"
    return connection


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("path", REST)
def test_apis(site: Site, api: ApiServer, monkeypatch: pytest.MonkeyPatch, path: str, fault: str) -> None:
    # bytes outside of ASCII are no header; a test of its own sends those
    monkeypatch.setenv("CANARY", NASTY.replace("ü", "u"))
    api.serve("/token", Answer(json={"access_token": f"{NASTY}-token".replace("ü", "u"), "refresh_token": NASTY}))
    api.serve("/x", FAULTS[fault])
    site_of(site, rest(api, path, "${env://CANARY}"), "items")
    codes = attack(site, (("check", "--connect"), ("plan", "p", "--json"), ("run", "p", "--json"), ("status", "p")))
    assert codes[2] != 0
    assert api.asked
    assert site.leaks() == []


#: how checks and runs end that meet a fault on the way to an API; a record that is refused is a dead letter, no failure
WRITING = {
    "refused": (4, 4),
    "bad request": (0, 0),
    "broken": (4, 4),
    "html": (0, 1),
    "cut": (4, 4),
    "reset": (4, 4),
    "moved": (1, 1),
}


@pytest.mark.parametrize("fault", WRITING)
@pytest.mark.parametrize("path", HTTP)
def test_apis_that_are_written_to(
    site: Site, api: ApiServer, monkeypatch: pytest.MonkeyPatch, path: str, fault: str
) -> None:
    monkeypatch.setenv("CANARY", NASTY.replace("ü", "u"))
    api.serve("/token", Answer(json={"access_token": f"{NASTY}-token".replace("ü", "u"), "refresh_token": NASTY}))
    api.serve("/x", FAULTS[fault])
    (site.root / "in").mkdir()
    (site.root / "in/rows.csv").write_text("id,name\n1,a\n2,b\n")
    table = {"path": "/x", "results": {"error": "why"}}  # an answer must be understood
    target = connected(api, path, "${env://CANARY}", {"type": "http", "ping": "/x", "tables": {"t": table}})
    pipeline = {
        "name": "p",
        "source": {"connector": "it", "stream": "rows.csv"},
        "destinations": [{"connector": "to", "table": "t", "mode": "append"}],
    }
    site.declare({"it": {"type": "files", "root": "in", "format": "csv"}, "to": target}, pipeline)
    commands = (("check", "--connect"), ("run", "p", "--json"), ("status", "p"), ("dead-letters", "p", "--json"))
    assert (*attack(site, commands)[:2],) == WRITING[fault], site.said
    letters = json.loads(site.said[site.said.index("$ dead-letters p --json") + 1])
    assert len(letters) == (2 if fault == "bad request" else 0)
    assert api.asked
    assert site.leaks() == []


@pytest.mark.parametrize("fault", [*FAULTS, "nobody"])
@pytest.mark.parametrize("path", [path for path in REST if "oauth2" in path])
def test_token_endpoints(site: Site, api: ApiServer, monkeypatch: pytest.MonkeyPatch, path: str, fault: str) -> None:
    monkeypatch.setenv("CANARY", NASTY)
    api.serve("/token", FAULTS.get(fault, Answer(status=404)))
    connection = rest(api, path, "${env://CANARY}")
    if fault == "nobody":
        connection["auth"] |= {"token_url": "http://127.0.0.1:1/token"}
    site_of(site, connection, "items")
    assert 0 not in attack(site, (("check", "--connect"), ("run", "p", "--json")))
    assert site.leaks() == []


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("path", REST)
def test_what_no_header_may_hold(
    site: Site, api: ApiServer, monkeypatch: pytest.MonkeyPatch, path: str, written: str
) -> None:
    monkeypatch.setenv("CANARY", f"{NASTY}\nX-Injected: {NASTY}")
    api.serve("*", FAULTS["refused"])
    site_of(site, rest(api, path, written), "items")
    attack(site, (("check", "--connect"), ("run", "p", "--json")))
    assert site.leaks() == []
    errors = chains(site, rest(api, path, written), "items")
    assert errors
    assert [error for error in errors if leak(error)] == []
    assert not any("x-injected" in asked.headers for asked in api.asked)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1", "http://nowhere.invalid", "nonsense", "http://u:{}@h/"])
def test_wrong_hosts(site: Site, api: ApiServer, monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    monkeypatch.setenv("CANARY", NASTY)
    connection = rest(api, "rest.auth<bearer>.token", "${env://CANARY}")
    connection["base_url"] = base_url.format(quote(NASTY, safe=""))
    site_of(site, connection, "items")
    assert 0 not in attack(site, (("check", "--connect"), ("run", "p", "--json")))
    assert site.leaks() == []


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def dsns(good: str, silent: int) -> dict[str, tuple[str, str]]:
    """Connection strings with the canary as password, as libpq takes them; and a stream to read."""
    secret, plain = quote(NASTY, safe=""), NASTY.replace("\\", "").replace("'", "\\'")
    host = good.rpartition("@")[2]
    works = f"postgresql://postgres:{secret}@{host}"
    return {
        "works": (works, "public.t"),
        "no table": (works, "public.nothing"),
        "no server": (f"postgresql://me:{secret}@127.0.0.1:1/db", "t"),
        "no host": (f"host=nowhere.invalid user=me password='{plain}' dbname=db", "t"),
        "no answer": (f"postgresql://me:{secret}@127.0.0.1:{silent}/db?connect_timeout=2", "t"),
        "no role": (f"postgresql://nobody:{secret}@{host}", "t"),
        "no database": (f"{works}_", "t"),
        "no port": (f"postgresql://me:{secret}@127.0.0.1:port/db", "t"),
        "not encoded": (f"postgresql://me:{NASTY}@127.0.0.1:1/db", "t"),
        "no quotes": (f"host=127.0.0.1 port=1 password={NASTY} dbname=db", "t"),
        "nothing but it": (NASTY, "t"),
    }


def queries() -> dict[str, str]:
    """Statements that fail, early or late; each error echoes them."""
    return {
        "bad sql": "select from where",
        "no column": "select nothing from t",
        "late": "select 1 / (id - 2) as x, id from t",
        "cast": "select cast('x' || id as integer) as x from t",
    }


@pytest.mark.parametrize("kind", ["postgres", "sql"])
@pytest.mark.parametrize("case", [*dsns("", 0), *queries()])
def test_databases(  # noqa: PLR0913, PLR0917 - fixtures
    site: Site, postgres_database: str, silent: int, monkeypatch: pytest.MonkeyPatch, kind: str, case: str
) -> None:
    with psycopg.connect(postgres_database) as connection:
        connection.execute("create table t as select generate_series(1, 5) as id")
    dsn, stream = dsns(postgres_database, silent).get(case, (dsns(postgres_database, silent)["works"][0], "public.t"))
    field = "dsn" if kind == "postgres" else "url"
    saved = {"type": kind, field: "${env://CANARY}"}
    monkeypatch.setenv("CANARY", dsn)
    options = {"query": queries()[case]} if case in queries() else {}
    site_of(site, saved, stream, options=options)
    if case == "no answer":  # each question waits for its two seconds
        assert attack(site, (("run", "p", "--json"),)) != [0]
        assert site.leaks() == []
        return
    codes = attack(site)
    assert (codes[4] == 0) is (case == "works"), site.said
    assert site.leaks() == []
    if case == "works":
        return
    errors = chains(site, saved, stream, options)
    assert errors
    assert [error for error in errors if leak(error)] == []
    if case not in {"no table", *queries()}:
        with pytest.raises(PipelinesError) as caught:
            open_connector(ConnectorSpec("it", kind, saved), site.root).check()  # type: ignore[attr-defined]
        assert leak(str(caught.value)) is None


def test_a_destination_that_refuses(site: Site, postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(postgres_database) as connection:
        connection.execute("create table t (id integer check (id > 5))")
    monkeypatch.setenv("CANARY", dsns(postgres_database, 0)["works"][0])
    source = {"type": "memory", "data": {"rows": [{"id": 1}]}}
    pipeline = {
        "name": "p",
        "source": {"connector": "it", "stream": "rows"},
        "destinations": [{"connector": "to", "table": "public.t", "mode": "append"}],
    }
    site.declare({"it": source, "to": {"type": "postgres", "dsn": "${env://CANARY}"}}, pipeline)
    assert attack(site)[4] == 1
    assert site.leaks() == []


@pytest.mark.parametrize(
    "url",
    ["nope://me:{}@h/db", "mysql+pymysql://me:{}@h/db", "postgresql://me:{}@h:port/db", "oracle://me:{}@h", "{}"],
)
def test_urls_of_no_database(site: Site, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CANARY", url.format(NASTY))
    for written in ("${env://CANARY}", url.format(quote(NASTY, safe=""))):
        site_of(site, {"type": "sql", "url": written}, "t")
        assert attack(site)[4] != 0
        assert site.leaks() == []


@pytest.mark.parametrize("how", ["sha256", "tokenize"])
@pytest.mark.parametrize("at", ["landing", "validation"])
@pytest.mark.parametrize(
    "then", ["select * from input", "select 1 / 0 as x, nothing from input", "select cast(v as int) as v from input"]
)
def test_salts(site: Site, monkeypatch: pytest.MonkeyPatch, how: str, at: str, then: str) -> None:
    monkeypatch.setenv("CANARY", NASTY)
    mask = {"mask": {"v": {"how": how, "salt": "${env://CANARY}"}}} | ({"at": "landing"} if at == "landing" else {})
    pipeline = {
        "name": "p",
        "source": {"connector": "it", "stream": "rows"},
        "transforms": [mask, {"sql": then}],
        "quality": {"rules": [{"type": "range", "field": "v", "min": 3}]},
        "destinations": [{"connector": "to", "table": "t", "mode": "append"}],
    }
    connectors = {"it": {"type": "memory", "data": {"rows": [{"v": "a"}]}}, "to": {"type": "files", "root": "out"}}
    site.declare(connectors, pipeline)
    codes = attack(site)
    assert (codes[4] == 0) is (then == "select * from input"), site.said
    assert site.leaks() == []


def test_a_salt_in_the_yaml_is_refused_and_not_shown(site: Site) -> None:
    pipeline = {
        "name": "p",
        "source": {"connector": {"type": "memory"}, "stream": "rows"},
        "transforms": [{"mask": {"v": {"how": "sha256", "salt": NASTY}}}],
        "destinations": [{"connector": {"type": "logger"}, "name": "out"}],
    }
    site.declare({}, pipeline)
    assert attack(site, (("check",), ("run", "p", "--json"))) == [2, 2]
    assert site.leaks() == []


@pytest.mark.parametrize("kind", ["postgres", "sql"])
@pytest.mark.parametrize("written", [NASTY, [NASTY], {"x": NASTY}, f"${{file://{NASTY}}}", f"${{env://{NASTY}}}"])
def test_what_is_no_connection_string_at_all(site: Site, kind: str, written: Any) -> None:
    field = "dsn" if kind == "postgres" else "url"
    site_of(site, {"type": kind, field: written}, "t")
    assert attack(site, (("check",), ("check", "--connect"), ("run", "p", "--json")))[2] != 0
    assert site.leaks() == []


def test_what_is_kept_on_purpose_is_for_its_owner_alone(
    site: Site, api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "first-one")
    api.serve("/token", Answer(json={"access_token": "access-one", "refresh_token": NASTY}))
    api.serve("/x", Answer(json={"items": [{"id": 1}]}))
    site_of(site, rest(api, "rest.auth<oauth2_refresh_token>.refresh_token", "${env://CANARY}"), "items")
    assert attack(site)[4] == 0
    assert site.leaks() == []
    (kept,) = kept_tokens(site.root)
    assert kept.stat().st_mode & 0o077 == 0


def kept_tokens(root: Path) -> list[Path]:
    return list(root.rglob("tokens/*.json"))

"""A reference to a secret in any field of any connector: it shows nowhere, whatever comes of it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from platform_pipelines_tests.api_server import Answer, ApiServer
from platform_pipelines_tests.secrets.fields import leaves
from platform_pipelines_tests.secrets.site import PLAIN, leak, place
from platform_pipelines_tests.secrets.test_failure_paths import echo

if TYPE_CHECKING:
    from platform_pipelines_tests.secrets.site import Site

#: the name of a column or a folder, which rows and files are meant to bear
NAMES = {"rest.streams.*.explode", "http.state"}
PATHS = [leaf.path for leaf in leaves() if leaf.path not in NAMES]
REFERENCE = "${env://CANARY}"
#: after a run on what is broken, on what is whole
COMMANDS = (("check", "--connect"), ("plan", "p", "--json"), ("run", "p", "--json"), ("status", "p", "--json"))


class Case(NamedTuple):
    """A text, with the reference in it, in the field at a path."""

    path: str
    text: str = REFERENCE

    @property
    def name(self) -> str:
        return self.path if self.text == REFERENCE else f"{self.path}={self.text}"

    @property
    def kind(self) -> str:
        return self.path.partition(".")[0]


#: texts that hold a canary and are valid, in fields where the canary by itself is not
VALID = [
    Case("http.base_url", f"http://127.0.0.1:1/{REFERENCE}"),
    Case("rest.base_url", f"http://127.0.0.1:1/{REFERENCE}"),
    Case("sql.url", f"postgresql://me:{REFERENCE}@127.0.0.1:1/db"),
    Case("rest.streams.*.cursor.format", f"%Y-{REFERENCE}"),
    Case("rest.streams.*.whole.params.*"),
]
CASES = [*map(Case, PATHS), *VALID]

_ERROR = {"error": {"path": "status"}, "records": "items"}
_LOOKUP = {"lookups": {"x": {"path": "/l", "field": "id"}}}
_SINCE = {"cursor": {"param": "since"}}
#: what fields mean nothing without, beside them in the stream or the connection
AROUND: dict[str, dict[str, Any]] = {
    "files.options.date_format": {"options": {"types": {"at": "date"}}},
    "files.options.timestamp_format": {"options": {"types": {"at": "timestamp"}}},
    "rest.streams.*.body.*": {"method": "POST"},
    "rest.streams.*.cursor.format": _SINCE,
    "rest.streams.*.whole.params.*": _SINCE,
    **dict.fromkeys((f"rest.streams.*.error.{name}" for name in ("ok[]", "retry[]", "message")), _ERROR),
    **dict.fromkeys((f"rest.streams.*.lookups.*.{name}" for name in ("path", "records", "field")), _LOOKUP),
}

#: the exit codes of a run on what is broken, and of the commands
REFUSED, UNREACHABLE, WORKS = (2, 2, 2, 2, 0), (4, 4, 4, 4, 0), (4, 0, 0, 0, 0)
#: numbers, durations, rates, types, and names and texts of a form, which a canary never is: ``check`` refuses them
FORMS = (
    *(
        ".max",
        "retries.total",
        ".delay",
        ".max_delay",
        ".rate_limit",
        ".timeout",
        ".concurrency",
        ".existing[]",
        ".missing[]",
    ),
    *(".max_pages", ".start", ".size", ".limit", ".empty_pages", ".delimiter", ".quote", ".encoding"),
    *(".preset", ".include.*", ".whole.*", ".base_url", ".url", ".cursor.format"),
)
#: what else is no answer of an API that refuses, and then takes all
OTHERS: dict[str, tuple[int, ...]] = {
    "files.root": (1, 2, 1, 1, 0),
    **{path: (1, 0, 0, 0, 0) for path in PATHS if path.startswith("files.options.") and not path.endswith(FORMS)},
    **dict.fromkeys(("memory.space", "logger.logger"), (0, 0, 0, 0, 0)),
    **dict.fromkeys(("duckdb.path", "postgres.dsn", "postgres.schema"), UNREACHABLE),
    # no pages that go on, no records, no `ok`
    **dict.fromkeys((f"rest.streams.*.pagination<{how}>.param" for how in ("page", "offset")), (4, 0, 1, 1, 0)),
    **dict.fromkeys((f"rest.streams.*.pagination<{how}>.total" for how in ("page", "offset")), (4, 0, 1, 1, 0)),
    "rest.streams.*.pagination<page>.size_param": (4, 0, 1, 1, 0),
    "rest.streams.*.pagination<offset>.limit_param": (4, 0, 1, 1, 0),
    "rest.streams.*.records": (4, 1, 1, 1, 0),
    **dict.fromkeys((f"rest.streams.*.error.{name}" for name in ("ok[]", "retry[]", "message")), (4, 1, 1, 1, 0)),
    # nobody looks at them before there is something to read
    "rest.streams.*.types.*": (4, 2, 2, 2, 0),
    "files.options.types.*": (1, 2, 2, 2, 0),
}


def ends(case: Case) -> tuple[int, ...]:
    """The exit codes that the case is to end with."""
    if case in VALID and case.path.endswith("url"):
        return (4, 4, 0, 4, 0) if case.kind == "http" else UNREACHABLE
    if "<oauth2" in case.path:  # a plan of what is written asks nothing
        return (4, 4, 0, 4, 0) if case.kind == "http" else UNREACHABLE
    if case in VALID:
        return WORKS
    return OTHERS.get(case.path, REFUSED if case.path.endswith(FORMS) else WORKS)


def configuration(case: Case, api: ApiServer) -> dict[str, Any]:
    """A connection that works, or would but for the case."""
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
    connection = {"type": case.kind, **given[case.kind]}
    inner = connection["streams"]["a.csv"] if case.kind == "rest" else connection
    inner.update(copy.deepcopy(AROUND.get(case.path, {})))
    return place(connection, case.path, case.text)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_no_field_shows_what_a_reference_stands_for(
    site: Site, api: ApiServer, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    """Neither where the API refuses and shows all that it was sent, or the file is not there, nor where all is well."""
    monkeypatch.setenv("CANARY", PLAIN)
    source, destination = ("to", "it") if case.kind in {"http", "logger"} else ("it", "to")
    pipeline = {
        "name": "p",
        "source": {"connector": source, "stream": "a.csv"},
        "destinations": [{"connector": destination, "table": "t"}],
    }
    memory = {"type": "memory", "space": str(site.root), "data": {"a.csv": [{"id": 1}]}}
    site.declare({"it": configuration(case, api), "to": memory}, pipeline)
    (site.root / "in").mkdir()
    api.serve("*", lambda asked: Answer(status=401, json=echo(asked)))
    codes = [site.type("run", "p", "--json")]
    (site.root / "in/a.csv").write_text("id,at\n1,never\n", encoding="utf-8")
    rows = [{"id": 1, "at": 1}]
    api.serve("*", Answer(json={"items": rows, "status": "bad"} if ".error." in case.path else rows))
    codes += [site.type(*words) for words in COMMANDS]
    assert tuple(codes) == ends(case), site.said
    assert site.leaks() == []


def test_a_leak_would_be_seen() -> None:
    assert leak(f"password is {PLAIN}!") is not None
    assert leak("SzRuNHJZczNjcjN0OXg=") is not None
    assert leak("%4B4n4rYs3cr3t9x") is not None
    assert leak("all is well") is None

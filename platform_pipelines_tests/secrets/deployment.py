"""A deployment in Dagster whose connections hold canaries, and whose runs end in every way.

What is told openly holds a marker, which is no secret: whoever looks for canaries must find that.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from platform_pipelines_tests.api_server import Answer
from platform_pipelines_tests.secrets.site import PLAIN
from platform_pipelines_tests.secrets.test_failure_paths import echo

if TYPE_CHECKING:
    import dagster as dg
    import pytest

    from platform_pipelines_tests.api_server import ApiServer
    from platform_pipelines_tests.secrets.site import Site

MARKER = "M4rk3r"
#: tags of every run: the marker as secrets may be hidden
TAGS = {
    "packed": base64.b64encode(f"me:{MARKER}!".encode()).decode(),
    "quoted": f"a%20%{ord(MARKER[0]):X}{MARKER[1:]}",
}
#: a function of the user's that fails with the secret in its mouth, in every link of a chain
MODULE = f"""
def fail(frame):
    try:
        raise KeyError({PLAIN!r})
    except KeyError as error:
        raise ValueError("no " + {PLAIN!r} + ", {MARKER}") from error
"""
STREAMS = {"refused": {"path": "/refused"}, "good": {"path": "/good", "records": "items"}}
GOOD = {"source": {"connector": "api", "stream": "good"}}
PIPELINES: dict[str, dict[str, Any]] = {
    "refused": {"source": {"connector": "api", "stream": "refused"}},
    "function": GOOD | {"transforms": [{"function": "of_a_user:fail"}]},
    "skipped": GOOD | {"transforms": [{"function": "of_a_user:fail", "required": False}]},
    "salted": GOOD
    | {
        "transforms": [{"mask": {"name": {"how": "tokenize", "salt": "${env://CANARY}"}}}],
        "quality": {"profile": True, "rules": [{"type": "range", "field": "id", "min": 5, "severity": "warning"}]},
        "schedule": {"cron": "0 0 1 1 *"},
    },
    "loading": GOOD | {"destinations": [{"connector": "pg", "table": "t"}]},
    "sending": GOOD | {"destinations": [{"connector": "sink", "table": "t"}]},
    "asking": {"source": {"connector": "db", "stream": "t"}},
    "changes": {
        "source": {"connector": "pg", "stream": "t", "mode": "incremental", "cursor": {"field": "at"}},
        "partitions": {"by": "value", "field": "region", "values": ["eu"], "detect_changes": True},
    },
}
SUCCEED = {"skipped", "salted"}


def declare(site: Site, api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the deployment's files; the API refuses with all that it was sent, or answers well."""
    monkeypatch.setenv("CANARY", PLAIN)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.syspath_prepend(site.root)
    (site.root / "of_a_user.py").write_text(MODULE, encoding="utf-8")
    api.serve("/refused", lambda asked: Answer(status=401, json=echo(asked)))
    api.serve("/good", Answer(json={"items": [{"id": 1, "name": "ada"}]}))
    for name, body in PIPELINES.items():
        common = {
            "name": name,
            "description": f"{MARKER} of {name}.",
            "destinations": [{"connector": "out", "table": name}],
            "retries": {"max": 0},
        }
        site.declare(_connectors(api), common | body)
        (site.root / "defs/p.yaml").rename(site.root / f"defs/{name}.yaml")


def _connectors(api: ApiServer) -> dict[str, Any]:
    asked = {"base_url": api.url, "retries": {"max": 0}}
    bearer = {"type": "bearer", "token": "${env://CANARY}"}
    key = {"type": "api_key", "value": "${env://CANARY}", "name": "key", "in": "query"}
    dsn = "postgresql://me:${env://CANARY}@127.0.0.1:1/db"
    return {
        "api": {"type": "rest", **asked, "auth": bearer, "streams": STREAMS},
        "sink": {"type": "http", **asked, "auth": key, "tables": {"t": {"path": "/refused"}}},
        "pg": {"type": "postgres", "dsn": dsn},
        "db": {"type": "sql", "url": dsn},
        "out": {"type": "files", "root": "out"},
    }


def run_all(definitions: dg.Definitions, instance: dg.DagsterInstance) -> dict[str, dg.ExecuteInProcessResult]:
    """Run each pipeline once, whatever comes of it."""
    found = {}
    for name in PIPELINES:
        key = {"partition_key": "eu"} if name == "changes" else {}
        job = definitions.resolve_job_def(name)
        found[name] = job.execute_in_process(instance=instance, raise_on_error=False, tags=TAGS, **key)
    return found


def forget_the_module(site: Site) -> None:
    """Remove the function's source, in which the canary is written."""
    (site.root / "of_a_user.py").unlink()
    for path in site.root.rglob("of_a_user*.pyc"):
        path.unlink()

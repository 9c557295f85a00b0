"""What Dagster stores of runs and ticks that fail, and what its web server tells of them, holds no secret."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from platform_pipelines.engine import open_project
from platform_pipelines.orchestration.build import project_definitions
from platform_pipelines.orchestration.failures import masked
from platform_pipelines.spec.secrets import register
from platform_pipelines_tests.api_server import Answer, ApiServer
from platform_pipelines_tests.secrets.site import NASTY, PLAIN, leak, shown
from platform_pipelines_tests.secrets.test_failure_paths import echo
from platform_pipelines_tests.ui.server import dagster_home, served

if TYPE_CHECKING:
    from platform_pipelines_tests.secrets.site import Site

#: a function of the user's that fails with the secret in its mouth, in every link of a chain
MODULE = f"""
def fail(frame):
    try:
        raise KeyError({PLAIN!r})
    except KeyError as error:
        raise ValueError("no " + {PLAIN!r}) from error
"""
STREAMS = {"refused": {"path": "/refused"}, "good": {"path": "/good", "records": "items"}}
PIPELINES: dict[str, dict[str, Any]] = {
    "refused": {"source": {"connector": "api", "stream": "refused"}},
    "function": {"source": {"connector": "api", "stream": "good"}, "transforms": [{"function": "of_a_user:fail"}]},
    "skipped": {
        "source": {"connector": "api", "stream": "good"},
        "transforms": [{"function": "of_a_user:fail", "required": False}],
    },
    "salted": {
        "source": {"connector": "api", "stream": "good"},
        "transforms": [{"mask": {"name": {"how": "tokenize", "salt": "${env://CANARY}"}}}],
        "quality": {"profile": True, "rules": [{"type": "range", "field": "id", "min": 5, "severity": "warning"}]},
    },
    "loading": {"source": {"connector": "api", "stream": "good"}, "destinations": [{"connector": "pg", "table": "t"}]},
    "changes": {
        "source": {"connector": "pg", "stream": "t", "mode": "incremental", "cursor": {"field": "at"}},
        "partitions": {"by": "value", "field": "region", "values": ["eu"], "detect_changes": True},
    },
}
ENTRY = """label description ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr }
  ... on JsonMetadataEntry { jsonString } ... on TableMetadataEntry { table { records } }"""
ERROR = "className message stack errorChain { isExplicitLink error { className message stack } }"
QUERIES = [
    "{ runsOrError { ... on Runs { results { runId status runConfigYaml tags { key value } } } } }",
    (
        "{ assetsOrError { ... on AssetConnection { nodes { definition { description } "
        f"assetMaterializations {{ metadataEntries {{ {ENTRY} }} }} }} }} }} }}"
    ),
    (
        "{ repositoriesOrError { ... on RepositoryConnection { nodes { allTopLevelResourceDetails { "
        "name description configuredValues { key value } } sensors { name description sensorState { ticks { "
        "error { message stack } skipReason } } } } } } }"
    ),
]
LOGS = f"""query($run: ID!) {{ logsForRun(runId: $run) {{ ... on EventConnection {{ events {{
  ... on MessageEvent {{ message level stepKey }}
  ... on ExecutionStepFailureEvent {{ error {{ {ERROR} }} failureMetadata {{ metadataEntries {{ {ENTRY} }} }} }}
  ... on MaterializationEvent {{ metadataEntries {{ {ENTRY} }} }}
  ... on AssetCheckEvaluationEvent {{ evaluation {{ description metadataEntries {{ {ENTRY} }} }} }} }} }} }} }}"""


@pytest.fixture
def deployment(site: Site, api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("CANARY", PLAIN)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.syspath_prepend(site.root)
    (site.root / "of_a_user.py").write_text(MODULE, encoding="utf-8")
    api.serve("/refused", lambda asked: Answer(status=401, json=echo(asked)))
    api.serve("/good", Answer(json={"items": [{"id": 1, "name": "ada"}]}))
    auth = {"type": "bearer", "token": "${env://CANARY}"}
    connectors = {
        "api": {"type": "rest", "base_url": api.url, "auth": auth, "retries": {"max": 0}, "streams": STREAMS},
        "pg": {"type": "postgres", "dsn": "postgresql://me:${env://CANARY}@127.0.0.1:1/db"},
        "out": {"type": "files", "root": "out"},
    }
    for name, body in PIPELINES.items():
        common = {"name": name, "destinations": [{"connector": "out", "table": name}], "retries": {"max": 0}}
        site.declare(connectors, common | body)
        (site.root / "defs/p.yaml").rename(site.root / f"defs/{name}.yaml")
    return site


def test_what_is_stored_and_what_the_web_server_says(deployment: Site) -> None:
    home = dagster_home(deployment.root)
    definitions = project_definitions(open_project(deployment.root / "defs"))
    runs = {}
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for name in PIPELINES:
            key = {"partition_key": "eu"} if name == "changes" else {}
            job = definitions.resolve_job_def(name)
            runs[name] = job.execute_in_process(instance=instance, raise_on_error=False, **key)
        context = dg.build_sensor_context(instance, definitions=definitions)
        with pytest.raises(dg.Failure) as caught:
            definitions.resolve_sensor_def("changes_changes").evaluate_tick(context)
        assert "cannot be reached" in str(caught.value.description)
        assert leak(shown(caught.value)) is None
        deployment.said += [str(entry) for run in runs.values() for entry in instance.all_logs(run.run_id)]
    assert {name for name, run in runs.items() if run.success} == {"skipped", "salted"}
    with served(deployment.root, dict(os.environ) | {"PIPELINES_DEFS": str(deployment.root / "defs")}) as address:
        deployment.said += [fetched(f"{address}/"), *(ask(address, query) for query in QUERIES)]
        logs = {name: ask(address, LOGS, run=run.run_id) for name, run in runs.items()}
    assert "The credentials are refused" in logs["refused"]
    assert "ValueError: no ***" in logs["function"] + logs["skipped"]
    deployment.said += logs.values()
    (deployment.root / "of_a_user.py").unlink()
    for path in deployment.root.rglob("of_a_user*.pyc"):
        path.unlink()
    assert deployment.leaks() == []


def ask(address: str, query: str, **variables: str) -> str:
    """The answer to a GraphQL query, which must be one."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310 - our own address
    found = fetched(request)
    assert "errors" not in json.loads(found), found
    return found


def fetched(what: str | urllib.request.Request) -> str:
    with urllib.request.urlopen(what) as answer:  # noqa: S310 - our own address
        return str(answer.read().decode())


def chain() -> None:
    try:
        {}[NASTY]
    except KeyError as error:
        msg = f"no {NASTY}"
        raise ValueError(msg) from error


def test_what_nobody_foresaw_is_masked_with_everything_it_is_chained_to() -> None:
    register(NASTY)
    with pytest.raises(dg.Failure) as caught, masked():
        chain()
    stored = serializable_error_info_from_exc_info((caught.type, caught.value, caught.tb))
    everything = f"{stored.to_string()} {stored!r} {caught.value.metadata} {caught.value.description}"
    assert leak(everything) is None
    assert "ValueError: no ***" in everything

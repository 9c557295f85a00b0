"""What Dagster stores of runs and ticks that fail, and what its web server tells of them, holds no secret."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from platform_pipelines.engine import open_project
from platform_pipelines.orchestration.build import project_definitions
from platform_pipelines.orchestration.failures import masked
from platform_pipelines.spec.secrets import register
from platform_pipelines_tests.secrets.deployment import MARKER, SUCCEED, declare, forget_the_module, run_all
from platform_pipelines_tests.secrets.rendered import View, look
from platform_pipelines_tests.secrets.site import NASTY, leak, shown
from platform_pipelines_tests.ui.browser import chromium
from platform_pipelines_tests.ui.server import dagster_home, served

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_pipelines_tests.api_server import ApiServer
    from platform_pipelines_tests.secrets.site import Site

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
    declare(site, api, monkeypatch)
    return site


def views(runs: Mapping[str, str]) -> list[View]:
    """The pages that tell of the deployment, the runs given by their ids."""
    code = "/locations/platform_pipelines.definitions"
    failed = "STEP_FAILURE"
    return [
        View("/runs", ("Manually launched", "sending"), marked=True),
        View(f"/runs/{runs['refused']}", (failed, "The credentials are refused")),
        View(f"/runs/{runs['function']}", (failed, "ValueError: no ***"), marked=True),
        View(f"/runs/{runs['function']}", ("events.Failure",), ("View full message",), marked=True),
        View(f"/runs/{runs['skipped']}", ("RUN_SUCCESS", "ValueError: no ***"), marked=True),
        View(f"/runs/{runs['loading']}", (failed, "cannot be reached")),
        View(f"/runs/{runs['sending']}", (failed, "The credentials are refused")),
        View(f"/runs/{runs['asking']}", (failed, "cannot be reached")),
        View(f"/runs/{runs['changes']}", (failed, "cannot be reached")),
        View(f"/runs/{runs['salted']}", ("packed", "quoted"), ("View tags and config",), marked=True),
        View("/assets/salted/landing?view=events", ("rows_landed",)),
        View("/assets/salted/landing?view=overview", (f"{MARKER} of salted.", "Latest materialization"), marked=True),
        View("/assets/salted/validated?view=checks", ("1 of 1 rows failed", "sample")),
        View("/assets/function/validated?view=overview", (f"{MARKER} of function.", "Failed"), marked=True),
        View("/deployment/locations", ("platform_pipelines.definitions", "Loaded")),
        View(code, ("module_name", "working_directory")),
        *(View(f"{code}/resources/{name}", ("ConnectorResource", f'"{name}"')) for name in ("api", "pg")),
        View(f"{code}/jobs/salted", ("Description", f"{MARKER} of salted."), marked=True),
        View(f"{code}/jobs/salted/playground", ("salted__landing", "No errors")),
        View(f"{code}/schedules/salted_schedule", ("Runs `salted` at 0 0 1 1 *",)),
        View(f"{code}/sensors/changes_changes", ("SensorExecutionError",), ("Preview tick result", "Continue")),
    ]


def test_what_is_stored_and_what_the_web_server_says(deployment: Site) -> None:
    home = dagster_home(deployment.root)
    definitions = project_definitions(open_project(deployment.root / "defs"))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        runs = run_all(definitions, instance)
        context = dg.build_sensor_context(instance, definitions=definitions)
        with pytest.raises(dg.Failure) as caught:
            definitions.resolve_sensor_def("changes_changes").evaluate_tick(context)
        assert "cannot be reached" in str(caught.value.description)
        assert leak(shown(caught.value)) is None
        deployment.said += [str(entry) for run in runs.values() for entry in instance.all_logs(run.run_id)]
    assert {name for name, run in runs.items() if run.success} == SUCCEED
    ids = {name: run.run_id for name, run in runs.items()}
    with served(deployment.root, dict(os.environ) | {"PIPELINES_DEFS": str(deployment.root / "defs")}) as address:
        deployment.said += [fetched(f"{address}/"), *(ask(address, query) for query in QUERIES)]
        logs = {name: ask(address, LOGS, run=run) for name, run in ids.items()}
        seen = look(address, views(ids)) if chromium() else {}
    assert "The credentials are refused" in logs["refused"]
    assert "ValueError: no ***" in logs["function"] + logs["skipped"]
    deployment.said += logs.values()
    forget_the_module(deployment)
    assert deployment.leaks() == []
    if not seen:
        pytest.skip("nothing leaks but in pages, which were not drawn: no chromium (Debian: apt-get install chromium)")
    for view, told in seen.items():
        assert (view, leak(told.drawn), leak(told.sent)) == (view, None, None)
        if view.marked:  # a canary in its place would have been seen
            assert leak(told.drawn, MARKER) is not None, view
            assert leak(told.sent, MARKER) is not None, view


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

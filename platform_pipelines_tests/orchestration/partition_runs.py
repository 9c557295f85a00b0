"""Runs partitions of a pipeline by Dagster, as a program: ``PIPELINE backfill|run KEY…`` or ``PIPELINE live TICKS``.

Prints how many runs there were. A run that failed must have been refused for the
sake of another; whatever else fails ends the program.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from typing import Any

import dagster as dg
import psycopg

from platform_pipelines.engine import open_project
from platform_pipelines.orchestration.build import project_definitions

FIRST_TICK = dt.datetime(2024, 1, 20, 6, tzinfo=dt.UTC)
#: what two runs may say of each other; anything else is a fault
REFUSALS = ("is being worked on by", "Another run committed", "another run loaded")


def main() -> None:
    """Do what the command line says."""
    name, how, *rest = sys.argv[1:]
    definitions = project_definitions(open_project())
    job = definitions.resolve_job_def(name)
    with dg.DagsterInstance.get() as instance:
        if how == "live":
            runs = [
                job.execute_in_process(**_options(instance, key))
                for tick in range(int(rest[0]))
                for key in _due(definitions, name, instance, tick)
            ]
        else:
            landing = {"config": {"full_refresh": how == "backfill"}}
            config = {"ops": {f"{name}__landing": landing}}
            runs = [job.execute_in_process(**_options(instance, key, run_config=config)) for key in rest]
    for run in runs:
        _refused_or_done(run)
    print(len(runs))  # noqa: T201 - a program that prints


def _options(instance: dg.DagsterInstance, key: str | None, **more: Any) -> dict[str, Any]:
    return {"instance": instance, "partition_key": key, "raise_on_error": False, **more}


def _due(definitions: dg.Definitions, name: str, instance: dg.DagsterInstance, tick: int) -> list[str | None]:
    """The partitions that the schedule asks for; rows have changed before."""
    with psycopg.connect(os.environ["TEST_DSN"], autocommit=True) as connection:
        connection.execute("update events set v = 'b', at = clock_timestamp() where mod(id, 7) = %s", [tick])
    schedule = definitions.resolve_schedule_def(f"{name}_schedule")
    context = dg.build_schedule_context(
        instance,
        scheduled_execution_time=FIRST_TICK + dt.timedelta(hours=tick),
        repository_def=definitions.get_repository_def(),
    )
    found = [request.partition_key for request in schedule.evaluate_tick(context).run_requests or []]
    assert found
    return found


def _refused_or_done(result: dg.ExecuteInProcessResult) -> None:
    for event in result.get_step_failure_events():
        text = str(event.step_failure_data.error)
        assert any(refusal in text for refusal in REFUSALS), text


if __name__ == "__main__":
    main()

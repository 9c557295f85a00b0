"""How the steps of a run are executed, by one setting: ``PIPELINES_EXECUTOR``."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.errors import SpecError

if TYPE_CHECKING:
    from dagster._core.executor.base import Executor

SETTING = "PIPELINES_EXECUTOR"
#: imported once by the fork server, so that a step starts in tenths of a second
PRELOADED = ["dagster", "platform_pipelines.definitions"]


def executor() -> dg.ExecutorDefinition:
    """The executor that the environment asks for; steps of one process by default.

    Raises:
        SpecError: the setting names neither an executor here nor one that can be imported.
    """
    setting = os.environ.get(SETTING) or "in_process"
    if setting == "in_process":
        schema = dg.in_process_executor.config_schema
        return dg.ExecutorDefinition("in_process", schema, executor_creation_fn=_own_process)  # type: ignore[arg-type]
    if setting == "multiprocess":
        return dg.multiprocess_executor.configured(
            {"start_method": {"forkserver": {"preload_modules": PRELOADED}}}, name="multiprocess_forkserver"
        )
    return _imported(setting)


def _own_process(context: dg.InitExecutorContext) -> Executor:
    """Dagster's in-process executor as ours, with the same configuration."""
    from platform_pipelines.orchestration.inprocess import OwnProcessExecutor

    make = dg.in_process_executor.executor_creation_fn
    assert make is not None  # noqa: S101 - a definition that can be executed has one
    usual = make(context)
    return OwnProcessExecutor(usual.retries, usual.step_dependency_config)


def _imported(setting: str) -> dg.ExecutorDefinition:
    module, _, name = setting.partition(":")
    try:
        found = getattr(importlib.import_module(module), name) if name else None
    except (ImportError, AttributeError) as error:
        msg = f"{SETTING}={setting} cannot be imported: {error}. Install the package that offers it."
        raise SpecError(msg) from error
    if isinstance(found, dg.ExecutorDefinition):
        return found
    msg = (
        f"{SETTING}={setting} names no executor. Allowed: in_process, multiprocess, or an import path such as "
        "dagster_celery:celery_executor."
    )
    raise SpecError(msg)

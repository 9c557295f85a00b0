"""How the steps of a run are executed, by one setting: ``PIPELINES_EXECUTOR``."""

from __future__ import annotations

import importlib
import os

import dagster as dg

from platform_pipelines.errors import SpecError

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
        return dg.in_process_executor
    if setting == "multiprocess":
        return dg.multiprocess_executor.configured(
            {"start_method": {"forkserver": {"preload_modules": PRELOADED}}}, name="multiprocess_forkserver"
        )
    return _imported(setting)


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

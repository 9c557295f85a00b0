"""What a forked process does: it waits for the word, and executes one run as ``dagster api execute_run`` does."""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.code_pointer import CodePointer, ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.instance import InstanceRef
from dagster._grpc.types import ExecuteRunArgs, ResumeRunArgs
from dagster._serdes import deserialize_value, serialize_value

from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.engine.project import open_part
from platform_pipelines.errors import SpecError
from platform_pipelines.orchestration.launcher import wire
from platform_pipelines.orchestration.launcher.errors import NotWarm

if TYPE_CHECKING:
    import socket

#: the definitions that are loaded where nothing else is said
OWN = "platform_pipelines.definitions"
#: what runs need and what starts no thread when it is imported; DuckDB, pyarrow and numpy do
_PRELOADED = (
    "dagster._cli",
    "dagster._cli.api",
    "dagster._core.workspace.autodiscovery",
    "sqlglot",
    "platform_pipelines.engine.landing",
)
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
#: the exit code of a process that was never told to go on
_UNUSED = 75
#: seconds that a launcher may take between the two halves of its request
_PATIENCE = 30.0


def load(pointer: str | None, instance: str | None) -> None:
    """Import everything, and make the definitions if they are not the project's own.

    Of its own definitions, each run makes those that it needs, from the YAML as it is then.

    Args:
        pointer: where the definitions are, as Dagster writes it down; None for the project's own.
        instance: the reference of Dagster's instance, as Dagster writes it down; None for that of ``DAGSTER_HOME``.
    """
    importlib.import_module(OWN)
    for name in _PRELOADED:
        importlib.import_module(name)
    _import_connectors()
    if pointer is not None:
        _repository(pointer).get_all_jobs()
    # what the storage of this instance imports; it is closed again at once
    with dg.DagsterInstance.get() if instance is None else dg.DagsterInstance.from_ref(_reference(instance)) as opened:
        _ = opened.compute_log_manager
    with dg.DagsterInstance.ephemeral() as nowhere:
        dg.materialize([_rehearsal], instance=nowhere, run_config=_QUIET)


def _import_connectors() -> None:
    project = open_part(())
    for connector in project.catalog.connectors.values() if project else ():
        with contextlib.suppress(SpecError):  # a run that needs it says what is wrong
            capabilities(connector.type)


@dg.asset
def _rehearsal() -> None:
    """Dagster imports much of what a run needs in the midst of the first one."""


def _reference(text: str) -> InstanceRef:
    return deserialize_value(text, InstanceRef)


def _repository(pointer: str) -> dg.RepositoryDefinition:
    return ReconstructableRepository(_pointer(pointer)).get_definition()


def _pointer(text: str) -> CodePointer:
    found = deserialize_value(text)
    if not isinstance(found, CodePointer):
        msg = f"{text!r} does not say where definitions are."
        raise TypeError(msg)
    return found


def pointer_in(argument: str) -> str:
    """Where the definitions of a run are, as Dagster writes it down."""
    found = deserialize_value(argument, (ExecuteRunArgs, ResumeRunArgs))
    return serialize_value(found.job_origin.repository_origin.code_pointer)  # type: ignore[arg-type] # its subclasses are


def is_own(pointer: str) -> bool:
    """Whether these definitions are the project's own, of which every run makes what it needs."""
    found = _pointer(pointer)
    return isinstance(found, ModuleCodePointer) and found.module == OWN


def run(connection: socket.socket, listener: socket.socket, command: str, argument: str) -> None:
    """Execute a run, once its launcher says so.

    Args:
        connection: to the launcher.
        listener: the warm process's, which this one must not hold.
        command: ``execute_run`` or ``resume_run``.
        argument: what Dagster's command of that name takes.
    """
    listener.close()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with connection:
        connection.settimeout(_PATIENCE)
        try:
            wire.hear(connection)
        except NotWarm:
            sys.exit(_UNUSED)
    sys.argv = ["dagster", "api", command, argument]
    (dagster,) = entry_points(group="console_scripts", name="dagster")
    dagster.load()()


def tell(argument: str, pid: int, code: int) -> None:
    """Record that the process of a run is gone, if the run has not ended.

    Where runs are resumed, this is left to Dagster's run monitoring, which resumes them.
    """
    found = deserialize_value(argument, (ExecuteRunArgs, ResumeRunArgs))
    if code == _UNUSED or found.instance_ref is None:
        return
    with dg.DagsterInstance.from_ref(found.instance_ref) as instance:
        record = instance.get_run_by_id(found.run_id)
        if record is None or record.is_finished or instance.run_monitoring_max_resume_run_attempts > 0:
            return
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        text = f"The process of this run ({pid}) {ended}. What was committed stays: run again to go on from there."
        instance.report_run_failed(record, text)

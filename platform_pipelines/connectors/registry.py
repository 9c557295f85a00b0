"""Finds connector types and opens connections; imports a connector only when it is used.

What a connector does is left to its module, reading YAML to ``spec``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr, ValidationError

from platform_pipelines.connectors.base import Connector, Destination, Source
from platform_pipelines.connectors.findings import explained, hidden
from platform_pipelines.errors import SecretError, SpecError
from platform_pipelines.spec import Capabilities
from platform_pipelines.spec.nearest import nearest
from platform_pipelines.spec.secrets import register_password, resolve

if TYPE_CHECKING:
    from platform_pipelines.spec import ConnectorSpec

GROUP = "platform_pipelines.connectors"

#: found without a look at what is installed, by which none of them can be replaced
_BUILT_IN = {
    "duckdb": "DuckDBConnector",
    "files": "FilesConnector",
    "http": "HttpConnector",
    "hubspot": "HubSpotConnector",
    "logger": "LoggerConnector",
    "memory": "MemoryConnector",
    "postgres": "PostgresConnector",
    "rest": "RestConnector",
    "sql": "SqlConnector",
}


@cache
def connector_types() -> dict[str, EntryPoint]:
    """All connector types by name: those shipped, and installed plug-ins under names of their own."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    found |= {name: _shipped(name) for name in _BUILT_IN}
    return dict(sorted(found.items()))


def _shipped(name: str) -> EntryPoint:
    return EntryPoint(name, f"{GROUP}.{name}:{_BUILT_IN[name]}", GROUP)


@cache
def connector_class(type_name: str) -> type[Connector]:
    """The class of a connector type.

    Raises:
        SpecError: no such type, or its plug-in cannot be imported.
    """
    point = _shipped(type_name) if type_name in _BUILT_IN else _plugged_in(type_name)
    try:
        loaded = point.load()
    except (ImportError, AttributeError) as error:
        msg = (
            f"Connector type `{type_name}` cannot be imported from {point.value}: {error}. Install what it needs, "
            "or mend the package that offers it."
        )
        raise SpecError(msg) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Connector)):
        msg = f"Connector type `{type_name}`: {point.value} is not a subclass of platform_pipelines' `Connector`."
        raise SpecError(msg)
    return loaded


def _plugged_in(name: str) -> EntryPoint:
    known = connector_types()
    if name not in known:
        msg = f"Unknown connector type `{name}`. Allowed: {', '.join(known)}.{nearest(name, known)}"
        raise SpecError(msg)
    return known[name]


@cache
def capabilities(type_name: str) -> Capabilities:
    """What a connector type can do, from its class alone.

    Raises:
        SpecError: see :func:`connector_class`.
    """
    cls = connector_class(type_name)
    return Capabilities(
        source=_offers(cls, Source),
        destination=_offers(cls, Destination) and bool(cls.modes),
        modes=frozenset(cls.modes),
        keys=frozenset(_keys(cls)),
        source_options=cls.source_options,
        compares=cls.compares,
        table_problem=cls.table_problem,
        stream_problem=cls.stream_problem,
        stream_names=cls.stream_names,
        table_names=cls.table_names,
        answers=frozenset(name for name in ("holds", "totals") if callable(getattr(cls, name, None))),
    )


def check_config(spec: ConnectorSpec) -> None:
    """Check a connection's keys and values without resolving its secrets.

    Raises:
        SpecError: unknown type or key, missing key, or a value that is not allowed.
    """
    cls = _class_of(spec)
    spec = dataclasses.replace(spec, config=cls.complete(spec.config))
    try:
        cls.model_validate(dict(spec.config))
    except ValidationError as error:
        plain = [e for e in error.errors() if not hidden(spec, e)]
        if plain:
            raise explained(spec, cls, plain) from None


def open_connector(spec: ConnectorSpec, root: Path, state: Path | None = None) -> Connector:
    """Build a connection: secrets resolved, paths absolute; nothing is contacted yet.

    Args:
        spec: the connection as declared.
        root: the project's folder, under which relative paths lie.
        state: where connectors that take a folder ``state`` remember what outlives a run; under ``root`` if not given.

    Raises:
        SpecError: see :func:`check_config`.
        SecretError: a secret reference does not resolve.
    """
    cls = _class_of(spec)
    spec = dataclasses.replace(spec, config=cls.complete(spec.config))
    try:
        config = resolve(dict(spec.config))
    except SecretError as error:
        msg = f"Connector `{spec.name}`: {error.message}"
        raise SecretError(msg, file=spec.file, line=spec.line) from error
    if "state" in cls.model_fields and config.get("state") is None:
        config["state"] = str(state or root / ".pipelines" / "store" / "_state")
    for name in cls.paths & config.keys():
        config[name] = _absolute(config[name], root)
    try:
        connector = cls.model_validate(config)
    except ValidationError as error:
        raise explained(spec, cls, error.errors()) from None
    _register(connector)
    return connector


def _register(value: Any) -> None:  # noqa: ANN401 - a field of a connector
    """Remember what stands in secret fields, wherever they are: it is masked though the YAML names no reference."""
    if isinstance(value, SecretStr):
        register_password(value.get_secret_value())
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            _register(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            _register(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _register(each)


def _class_of(spec: ConnectorSpec) -> type[Connector]:
    try:
        return connector_class(spec.type)
    except SpecError as error:
        msg = f"Connector `{spec.name}`: {error.message}"
        raise SpecError(msg, file=spec.file, line=spec.line) from error


def _absolute(value: Any, root: Path) -> Any:  # noqa: ANN401 - any YAML value
    if not isinstance(value, str) or "://" in value:
        return value
    return str((root / Path(value).expanduser()).absolute())


def _offers(cls: type[Connector], protocol: type) -> bool:
    wanted = {"read", "streams"} if protocol is Source else {"load", "offset"}
    return all(callable(getattr(cls, name, None)) for name in wanted)


def _keys(cls: type[Connector]) -> list[str]:
    return [field.alias or name for name, field in cls.model_fields.items()]

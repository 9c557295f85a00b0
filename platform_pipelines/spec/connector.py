"""A saved or inline connection, unresolved: what it allows is known to the connectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """One connection as written in the YAML.

    Attributes:
        name: its name in ``connectors.yaml``; inline ones are named after their
            place, as in ``flights.source``.
        type: the connector type, an entry point of ``platform_pipelines.connectors``.
        config: all keys including ``type``; secret references unresolved.
        file: the YAML file that holds it.
        line: its line in that file, counted from 1.
        lines: lines of its keys, by their path in ``config``.
    """

    name: str
    type: str
    config: Mapping[str, Any] = field(default_factory=dict)
    file: str | None = None
    line: int | None = None
    lines: Mapping[tuple[int | str, ...], int] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector type can do, told to the spec by whoever knows connectors.

    Attributes:
        source: whether it can be read.
        destination: whether it can be loaded.
        modes: load modes it supports.
        keys: configuration keys it takes, including ``type``.
        source_options: keys allowed in ``source.options``.
        answers: which questions about its tables it answers beside reads: ``holds``
            (the rows of a table it was loaded with), ``totals`` (row counts and sums).
        compares: whether it tells which version of a row it has, and from which feed.
        table_problem: why a table of a name can never be loaded with a configuration; None if it can.
        stream_problem: why a stream of a name can never be read with a configuration; None if it can.
        stream_names: the streams that a configuration declares; None where only the system knows.
        table_names: the tables that a configuration declares; None where any name will do.
    """

    source: bool
    destination: bool
    modes: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    source_options: frozenset[str] = frozenset()
    answers: frozenset[str] = frozenset()
    compares: bool = True
    table_problem: Callable[[str, Mapping[str, Any]], str | None] = lambda _table, _config: None
    stream_problem: Callable[[str, Mapping[str, Any]], str | None] = lambda _stream, _config: None
    stream_names: Callable[[Mapping[str, Any]], tuple[str, ...] | None] = lambda _: None
    table_names: Callable[[Mapping[str, Any]], tuple[str, ...] | None] = lambda _: None


#: The capabilities of a connector type; raises SpecError for a type that does not exist.
CapabilitiesOf = Callable[[str], Capabilities]

"""Whether the connectors that a pipeline names exist and can do what it asks of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.errors import SpecError
from platform_pipelines.spec.nearest import allowed
from platform_pipelines.spec.qualitychecks import read_back, reconciled

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from platform_pipelines.spec.connector import Capabilities, CapabilitiesOf, ConnectorSpec
    from platform_pipelines.spec.destination import DestinationSpec
    from platform_pipelines.spec.pipeline import PipelineSpec
    from platform_pipelines.spec.place import Place
    from platform_pipelines.spec.problems import Problems

Path = tuple[int | str, ...]


class Connectors:
    """The saved connectors and what their types can do.

    Args:
        saved: the connectors of ``connectors.yaml``.
        capabilities: what a type can do; without it only names are checked.
        place: where they were looked for; None where they come from no folder.
        unread: names that are declared and cannot be understood, which is told where they are; None where nothing of
            the file can be.
    """

    def __init__(
        self,
        saved: Mapping[str, ConnectorSpec],
        capabilities: CapabilitiesOf | None,
        place: Place | None = None,
        unread: Collection[str] | None = (),
    ) -> None:
        self.saved = saved
        self.unread = unread
        self.capabilities = capabilities
        self.place = place

    def takes_auth(self, type_name: str) -> bool:
        """Whether a type keeps credentials under ``auth``; where types are not known, it is taken to."""
        if self.capabilities is None:
            return True
        try:
            return "auth" in self.capabilities(type_name).keys
        except SpecError:
            return True  # an unknown type is reported where it is checked

    def check_config(self, spec: ConnectorSpec, problems: Problems, *path: int | str) -> None:
        """Report an unknown type and unknown keys of one connection."""
        able = self._able(spec, problems, path)
        for key in spec.config if able else ():
            if able and key not in able.keys:
                msg = f"Unknown key `{key}` of connector `{spec.name}` (type {spec.type})."
                problems.add(f"{msg} {allowed(key, sorted(able.keys))}", *path, key)

    def check(self, spec: PipelineSpec, problems: Problems) -> None:
        """Report what the connectors of a pipeline cannot do."""
        for name, path in named_in(spec):
            if name in spec.inline_connectors:
                self.check_config(spec.inline_connectors[name], problems, *path)
            elif name not in self.saved and self.unread is not None and name not in self.unread:
                file = self.place.file if self.place else "connectors.yaml"
                none = self.place.missing if self.place else "connectors.yaml has none"
                msg = f"Unknown connector `{name}`. {allowed(name, sorted(self.saved), none=none)}"
                problems.add(f"{msg} Add it to {file}, or write an inline mapping {{type: …}}.", *path)
        self._joins(spec, problems)
        self._source(spec, problems)
        self._quality(spec, problems)
        self._destinations(spec, problems)

    def _destinations(self, spec: PipelineSpec, problems: Problems) -> None:
        for index, destination in enumerate(spec.destinations):
            connector = self._find(spec, destination.connector)
            able = self._able(connector) if connector else None
            found = _unloadable(spec, destination, connector, able) if connector and able else None
            if found is not None:
                message, path = found
                problems.add(message, *(path if path[0] == "source" else ("destinations", index, *path)))

    def _source(self, spec: PipelineSpec, problems: Problems) -> None:
        connector = self._find(spec, spec.source.connector)
        able = self._able(connector) if connector else None
        if connector is None or able is None:
            return
        if not able.source:
            msg = f"Connector `{connector.name}` (type {connector.type}) can only be loaded, not read."
            problems.add(f"{msg} Choose another source.", "source", "connector")
            return
        for key in sorted(spec.source.options.keys() - able.source_options):
            msg = f"Unknown option `{key}` of source connector `{connector.name}` (type {connector.type})."
            problems.add(f"{msg} {allowed(key, sorted(able.source_options))}", "source", "options", key)
        names, stream = able.stream_names(connector.config), spec.source.stream
        if names is not None and stream not in names:
            msg = f"Unknown stream `{stream}` of connector `{connector.name}` (type {connector.type})."
            problems.add(f"{msg} {allowed(stream, names)}", "source", "stream")
        elif reason := able.stream_problem(stream, connector.config):
            problems.add(f"`stream` in `source`: {reason}", "source", "stream")

    def _quality(self, spec: PipelineSpec, problems: Problems) -> None:
        """Report rules that ask of a connector what it cannot tell."""
        destinations = {each.name: each.connector for each in spec.destinations}
        asked = [
            (destinations.get(name), path, rule, "holds", "read back what it") for name, path, rule in read_back(spec)
        ]
        for rule, path, about in reconciled(spec):
            names = dict.fromkeys([spec.source.connector, *(each.connector for each in about)])
            asked += [(name, path, rule.id, "totals", "tell how many rows and which sums it") for name in names]
        for name, path, rule_id, need, what in asked:
            connector = self._find(spec, name) if name is not None else None
            able = self._able(connector) if connector else None
            if connector and able and need not in able.answers:
                msg = f"Rule `{rule_id}` needs connector `{connector.name}` (type {connector.type}) to {what} holds."
                problems.add(f"{msg} It cannot. Name another, or remove the rule.", *path)

    def _joins(self, spec: PipelineSpec, problems: Problems) -> None:
        for index, transform in enumerate(spec.transforms):
            other = (
                transform.body.get("with") if transform.kind == "join" and isinstance(transform.body, dict) else None
            )
            if not isinstance(other, dict):
                continue
            name = other.get("connector")
            connector = self._find(spec, name) if isinstance(name, str) else None
            able = self._able(connector) if connector else None
            if connector is None or able is None:
                continue
            path = ("transforms", index, "body", "with")
            if not able.source:
                msg = (
                    f"Connector `{name}` (type {connector.type}) can only be loaded, so nothing can be joined from it."
                )
                problems.add(f"{msg} Choose another.", *path, "connector")
            written = other.get("options")
            for key in sorted(written.keys() - able.source_options) if isinstance(written, dict) else ():
                msg = f"Unknown option `{key}` of connector `{name}` (type {connector.type})."
                problems.add(f"{msg} {allowed(key, sorted(able.source_options))}", *path, "options", key)

    def _find(self, spec: PipelineSpec, name: str) -> ConnectorSpec | None:
        return spec.inline_connectors.get(name) or self.saved.get(name)

    def _able(self, spec: ConnectorSpec, problems: Problems | None = None, path: Path = ()) -> Capabilities | None:
        if self.capabilities is None or not spec.type:  # a missing type has been reported
            return None
        try:
            return self.capabilities(spec.type)
        except SpecError as error:
            if problems is not None:
                problems.add(f"Connector `{spec.name}`: {error.message}", *path)
            return None


def _unloadable(
    spec: PipelineSpec, destination: DestinationSpec, connector: ConnectorSpec, able: Capabilities
) -> tuple[str, Path] | None:
    """Why a connector cannot be this destination, and at which key; None if it can."""
    named = f"`{connector.name}` (type {connector.type})"
    if not able.destination:
        return f"Connector {named} can only be read, not loaded. Choose another destination.", ("connector",)
    if destination.mode not in able.modes:
        msg = f"Connector {named} cannot load with mode {destination.mode}."
        return f"{msg} {allowed(destination.mode, sorted(able.modes))}", ("mode",)
    if reason := able.table_problem(destination.table, connector.config):
        return f"`table` in destination `{destination.name}`: {reason}", ("table",)
    tables = able.table_names(connector.config)
    if tables is not None and destination.table not in tables:
        return f"Unknown table `{destination.table}` of connector {named}. {allowed(destination.table, tables)}", (
            "table",
        )
    reason = _undeletable(spec, named, able)
    return (reason, ("source", "deletes", "detect")) if reason else None


def _undeletable(spec: PipelineSpec, named: str, able: Capabilities) -> str | None:
    """Why keys that are gone cannot be removed or marked by a connector; None if they can, or none are looked for."""
    wanted = _applies_deletes(spec)
    if wanted and wanted not in able.modes:
        return (
            f"`detect: key_difference` needs mode {wanted} of connector {named}, which cannot do that. Remove "
            "`deletes`, or choose another destination."
        )
    if wanted and spec.partitions is not None and not able.compares:
        return (
            f"`detect: key_difference` with `partitions`: connector {named} does not tell whether a key that is gone "
            "from one partition is in another one now. Remove `deletes` or `partitions`, or choose another destination."
        )
    return None


def _applies_deletes(spec: PipelineSpec) -> str | None:
    """The mode by which keys that are gone are removed or marked at a destination; None where none are looked for."""
    deletes = spec.source.deletes
    if deletes is None or deletes.detect is None:
        return None
    return "delete" if deletes.action == "hard" else "update"


def named_in(spec: PipelineSpec) -> Iterator[tuple[str, Path]]:
    """Every connector that a pipeline names, and where."""
    yield spec.source.connector, ("source", "connector")
    for index, destination in enumerate(spec.destinations):
        yield destination.connector, ("destinations", index, "connector")
    for index, transform in enumerate(spec.transforms):
        other = transform.body.get("with") if transform.kind == "join" and isinstance(transform.body, dict) else None
        name = other.get("connector") if isinstance(other, dict) else None
        if isinstance(name, str):
            yield name, ("transforms", index, "body", "with", "connector")
    for index, rule in enumerate(spec.quality.rules):
        if rule.type == "foreign_key" and rule.reference.connector is not None:
            yield rule.reference.connector, ("quality", "rules", index, "reference", "connector")

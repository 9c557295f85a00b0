"""The short form of a pipeline, rewritten into the canonical one.

``source: {name, stream, authentication}``, ``destination: {name, config}``,
``engine: {syncCursorInDBEvery}`` and ``domain_id`` become ``source.connector``,
``destinations``, ``source.checkpoint_pages`` and ``domain``. Lines move along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.spec.destination import DestinationSpec
from platform_pipelines.spec.nearest import allowed, show
from platform_pipelines.spec.tree import Mapping, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping as AnyMapping

    from platform_pipelines.spec.connector import ConnectorSpec
    from platform_pipelines.spec.problems import Problems

_CHECKPOINT = "syncCursorInDBEvery"
#: a destination that takes no settings, so that whatever stands in its config means nothing
_WITHOUT_SETTINGS = "logger"


class ShortForm:
    """Rewrites one tree.

    Args:
        saved: the connectors of ``connectors.yaml``.
        takes_auth: whether a connector type keeps credentials under ``auth``.
        problems: where to report what cannot be rewritten.
    """

    def __init__(
        self, saved: AnyMapping[str, ConnectorSpec], takes_auth: Callable[[str], bool], problems: Problems
    ) -> None:
        self.saved = saved
        self.takes_auth = takes_auth
        self.problems = problems

    def expand(self, tree: Mapping) -> Mapping:
        """The canonical form of ``tree``; one that is canonical already is returned with equal content."""
        out = tree.copied()
        self._move(out, "domain_id", "domain")
        self._source(out)
        self._engine(out)
        self._destination(out)
        return out

    def _move(self, out: Mapping, old: str, new: str) -> None:
        if old not in out:
            return
        if new in out:
            self.problems.add(f"`{old}` and `{new}` mean the same. Remove `{old}`.", old)
        line = out.lines[old]
        out.put(new, _take(out, old), line)

    def _source(self, out: Mapping) -> None:
        source = out.get("source")
        if not isinstance(source, Mapping) or not source.keys() & {"name", "authentication"}:
            return
        if "connector" in source or "name" not in source:
            self.problems.add(
                "`source` mixes two forms. Write `connector` and `stream`, or `name`, `stream` and `authentication`.",
                "source",
            )
        source = source.copied()
        line = source.lines.get("name", source.line)
        name, authentication = _take(source, "name"), _take(source, "authentication")
        if "connector" not in source:
            source.put("connector", self._source_connector(name, authentication, line), line)
        out.put("source", source, out.lines["source"])

    def _source_connector(self, name: Any, authentication: Any, line: int | None) -> Any:  # noqa: ANN401 - any YAML
        if authentication is None and name in self.saved:
            return name
        if not isinstance(name, str):
            return name
        connector = Mapping(line=line)
        base = self.saved[name].config if name in self.saved else {"type": name}
        for key, value in {**base, **self._credentials(str(base["type"]), authentication)}.items():
            connector.put(key, value, line)
        return connector

    def _credentials(self, type_name: str, authentication: Any) -> dict[str, Any]:  # noqa: ANN401 - any YAML value
        if authentication is None:
            return {}
        if not isinstance(authentication, Mapping):
            self.problems.add("`source.authentication` must be a mapping {type, params}.", "source")
            return {}
        for key in authentication.keys() - {"type", "params"}:
            msg = f"Unknown key `{key}` in `source.authentication`. {allowed(key, ['type', 'params'])}"
            self.problems.add(msg, "source", "authentication", key)
        params = authentication.get("params") or {}
        if not isinstance(params, Mapping | dict):
            self.problems.add("`authentication.params` must be a mapping.", "source", "authentication", "params")
            return {}
        kind = {"type": authentication["type"]} if authentication.get("type") else {}
        if kind.get("type") == "api_key" and set(params) == {"token"}:
            kind = {"type": "bearer"}  # where this form comes from, such a key is sent as a bearer token
        return {"auth": {**kind, **params}} if self.takes_auth(type_name) else dict(params)

    def _engine(self, out: Mapping) -> None:
        engine = out.get("engine")
        if "engine" not in out:
            return
        if not isinstance(engine, Mapping) or engine.keys() - {_CHECKPOINT}:
            found = next(iter(engine.keys() - {_CHECKPOINT})) if isinstance(engine, Mapping) else show(engine)
            self.problems.add(f"Unknown setting {found} in `engine`. Allowed: {_CHECKPOINT}.", "engine", found)
        line = out.lines["engine"]
        _take(out, "engine")
        if isinstance(engine, Mapping) and isinstance(out.get("source"), Mapping) and _CHECKPOINT in engine:
            source = out["source"].copied()
            source.put("checkpoint_pages", engine[_CHECKPOINT], engine.lines[_CHECKPOINT])
            out.put("source", source, out.lines.get("source", line))

    def _destination(self, out: Mapping) -> None:
        if "destination" not in out:
            return
        if "destinations" in out:
            self.problems.add(
                "`destination` and `destinations` exclude each other. Keep `destinations`.", "destination"
            )
        line, written = out.lines["destination"], out["destination"]
        _take(out, "destination")
        destinations = Sequence()
        destinations.put(self._one(written) if isinstance(written, Mapping) else written, line)
        out.put("destinations", destinations, line)

    def _one(self, written: Mapping) -> Mapping:
        destination = written.copied()
        config = _take(destination, "config")
        if config is not None and not isinstance(config, Mapping):
            self.problems.add("`destination.config` must be a mapping.", "destination", "config")
        config = config if isinstance(config, Mapping) else Mapping()
        name = destination.get("name")
        if "connector" in destination or not isinstance(name, str):
            return _merged(destination, config, config.keys())
        own = set(DestinationSpec.yaml_keys())
        line = destination.lines["name"]
        if name in self.saved:
            ignored = config.keys() - own if self.saved[name].type == _WITHOUT_SETTINGS else set()
            destination.put("connector", name, line)
            return _merged(destination, config, config.keys() - ignored)
        settings = () if name == _WITHOUT_SETTINGS else [key for key in config if key not in own]
        connector = Mapping(line=line)
        connector.put("type", name, line)
        destination.put("connector", _merged(connector, config, settings), line)
        return _merged(destination, config, [key for key in config if key in own])


def _take(mapping: Mapping, key: str) -> Any:  # noqa: ANN401 - any YAML value
    mapping.lines.pop(key, None)
    return mapping.pop(key, None)


def _merged(target: Mapping, config: Mapping, keys: Any) -> Mapping:  # noqa: ANN401 - any collection of keys
    for key in keys:
        target.put(key, config[key], config.lines.get(key))
    return target

"""Secrets that stand in a connection's YAML for all to read, where a reference belongs.

Which fields hold secrets is told by the connectors' models; beside them, passwords
in URLs anywhere, and headers and parameters by their names. Hiding values at run
time is left to ``spec.secrets``: here, no value leaves the YAML at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from platform_pipelines.connectors.findings import Place, kinds, line_of, tag
from platform_pipelines.connectors.registry import connector_class
from platform_pipelines.errors import SpecError
from platform_pipelines.spec.secrets import has_password, has_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.spec import ConnectorSpec

#: secret fields whose text is no secret but for a password in it
_CONNECTION_STRINGS = frozenset({"dsn", "url", "uri"})
#: mappings whose keys are names that only the other side knows
_FREE = frozenset({"headers", "params"})
_TELLING = re.compile(
    r"(?:.*[_-])?(?:authorization|cookie|password|passwd|pwd|secret|token|api[_-]?key)", re.IGNORECASE
)


def plain_secrets(spec: ConnectorSpec) -> list[str]:
    """A warning for each secret in plain text, with file, line and field, never with the value.

    Args:
        spec: the connection as declared; a type that does not exist is reported elsewhere.
    """
    try:
        cls = connector_class(spec.type)
    except SpecError:
        return []
    return [
        _warning(spec, path)
        for path, text in _texts(spec.config)
        if _is_plain(kinds(cls, _tagged(cls, spec, path)), path, text)
    ]


def _warning(spec: ConnectorSpec, path: Place) -> str:
    place = f"{spec.file}:{line_of(spec, path)}: " if spec.file else ""
    return (
        f"{place}Connector `{spec.name}` holds a secret in plain text, in `{'.'.join(map(str, path))}`. Whoever reads "
        "the file has it: write `${env://NAME}` in its place, and set NAME where pipelines run."
    )


def _is_plain(allowed: list[Any], path: Place, text: str) -> bool:
    name = str(path[-1])
    free = len(path) > 1 and path[-2] in _FREE
    if (SecretStr in allowed and name not in _CONNECTION_STRINGS) or (free and _TELLING.fullmatch(name)):
        return bool(text.strip()) and not has_reference(text)
    return has_password(text, words=SecretStr in allowed)


def _texts(value: Any, path: Place = ()) -> Iterator[tuple[Place, str]]:  # noqa: ANN401 - any YAML value
    """All texts of a configuration and where they stand."""
    if isinstance(value, str):
        yield path, value
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for part, each in pairs:
        yield from _texts(each, (*path, part))


def _tagged(cls: type[Any], spec: ConnectorSpec, path: Place) -> Place:
    """The path with the type of each mapping that may be of several, as models know it."""
    found: list[int | str] = []
    value: Any = spec.config
    for part in path:
        found.append(part)
        value = value[part]
        own = value.get("type") if isinstance(value, Mapping) else None
        several = kinds(cls, tuple(found)) if isinstance(own, str) else []
        if len(several) > 1 and own in [tag(each) for each in several]:
            found.append(str(own))
    return tuple(found)

"""Secrets that stand in a connection's YAML for all to read, where a reference belongs.

Which fields hold secrets is told by the connectors' models; beside them, passwords
in URLs, and headers, parameters and fields of bodies by their names. Hiding values at run
time is left to ``spec.secrets``: here, no value leaves the YAML at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pydantic import SecretStr

from platform_pipelines.connectors.findings import FREE, Place, kinds, line_of, tag
from platform_pipelines.connectors.registry import connector_class
from platform_pipelines.errors import SpecError
from platform_pipelines.spec.secrets import as_written, has_password
from platform_pipelines.spec.telling import names_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.spec import ConnectorSpec

#: secret fields whose text is no secret but for a password in it
_CONNECTION_STRINGS = frozenset({"dsn", "url", "uri"})
#: fields that may end with a query
_URLS = frozenset({"base_url", "path", "token_url"})
_PAIR = re.compile(
    r"(?:^|[?&;\s])(?:odbc_connect=)?(?P<name>[\w.-]+)\s*=\s*(?P<value>'[^']*'|\"[^\"]*\"|\{[^}]*\}|[^\s;&]*)"
)
_QUERY = re.compile(r"[?&](?P<name>[\w.-]+)=(?P<value>[^&#]*)")
_PLACE = re.compile(r"\{[^{}]*\}")  # ``{column}`` in a template
_SHORTEST_PIECE = 6
_SWITCH = re.compile(r"true|false|yes|no|on|off|none|null|\d", re.IGNORECASE)


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
        "the file has it: write `${env://NAME}`, without a default, in its place, and set NAME where pipelines run."
    )


def _is_plain(allowed: list[Any], path: Place, text: str) -> bool:
    name = next(part for part in reversed(path) if isinstance(part, str))
    told = as_written(text)
    if SecretStr in allowed:
        if name in _CONNECTION_STRINGS:
            return has_password(text, whole=True) or _holds(_PAIR, unquote(told))
        return _is_written(told)
    if not FREE.isdisjoint(path[:-1]):
        return names_secret(name) and _is_value(told)
    return has_password(text, whole=False) or (name in _URLS and _holds(_QUERY, told))


def _is_written(told: str) -> bool:
    """Whether a secret can be read: all of it, or a part that is no word before a reference, such as ``Bearer``."""
    return bool(told.strip()) and ("\0" not in told or any(map(_is_part, re.split(r"[^\w\0]+", told))))


def _is_part(piece: str) -> bool:
    rest = piece.replace("\0", "")
    mixed = any(map(str.isdigit, rest)) and any(map(str.isalpha, rest))
    return "\0" in piece and len(rest) >= _SHORTEST_PIECE and mixed


def _is_value(told: str) -> bool:
    """Whether what stands under a telling name is a value: no template, and no switch."""
    return _is_written(_PLACE.sub("\0", told)) and not _SWITCH.fullmatch(told)


def _holds(pair: re.Pattern[str], told: str) -> bool:
    found = ((match["name"], match["value"].strip("'\"{}")) for match in pair.finditer(told))
    return any(names_secret(name) and _is_value(value) for name, value in found)


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

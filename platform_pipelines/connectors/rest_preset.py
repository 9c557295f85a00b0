"""What somebody has written down about an API before: a preset, as YAML in the shape of ``connectors.yaml``.

Keys of the connection go over the preset's, mapping by mapping. A preset asks for
what differs between its users by ``values``, whose names stand in braces in paths,
parameters and bodies. What the keys mean is left to ``rest_models``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from platform_pipelines.errors import SpecError
from platform_pipelines.spec.catalog import find_root
from platform_pipelines.spec.nearest import allowed
from platform_pipelines.spec.parse import parse
from platform_pipelines.spec.tree import plain

_NAME = re.compile(r"\{([A-Za-z_]\w*)\}")
_SUFFIX = ".yaml"
#: stands for what is left out
_LEFT_OUT = object()


def expanded(config: Mapping[str, Any]) -> dict[str, Any]:
    """A connection with the keys of its preset; without one, as it is.

    Raises:
        ValueError: there is no such preset, or a value is not one that it asks for, or missing.
    """
    name = config.get("preset")
    if name is None:
        return dict(config)
    preset = load(str(name))
    given, asked = config.get("values") or {}, preset.get("values", {})
    for each in given:
        if each not in asked:
            msg = f"the preset `{name}` asks for no value `{each}`. {allowed(each, asked)}"
            raise ValueError(msg)
    missing = [each for each, default in asked.items() if default is None and given.get(each) is None]
    if missing:
        msg = f"the preset `{name}` needs `values: {{{', '.join(f'{each}: …' for each in missing)}}}`"
        raise ValueError(msg)
    return _merged(preset, config)


def load(name: str) -> dict[str, Any]:
    """The preset of a name, or in a YAML file under the project's root.

    Raises:
        ValueError: there is none, or it is no mapping.
    """
    if not name.endswith(_SUFFIX):
        return _packaged(name)
    try:
        return _mapping((find_root(Path.cwd()) / name).read_bytes(), name)
    except OSError as error:
        msg = f"the preset {name} cannot be read: {error.strerror}. Its path lies under the project's root"
        raise ValueError(msg) from error


@lru_cache(maxsize=64)
def _packaged(name: str) -> dict[str, Any]:
    if name not in names():
        msg = f"there is no preset `{name}`. {allowed(name, names())} Or name a YAML file of your own"
        raise ValueError(msg)
    return _mapping((resources.files("platform_pipelines") / "presets" / f"{name}{_SUFFIX}").read_bytes(), name)


def _mapping(text: bytes, name: str) -> dict[str, Any]:
    try:
        found = plain(parse(text, name))
    except SpecError as error:
        msg = f"the preset {name}: {error}"
        raise ValueError(msg) from error
    if not isinstance(found, dict):
        msg = f"the preset {name} is no mapping. Write the keys of a connection of type rest"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports these only
    return found


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The presets that come with this package."""
    folder = resources.files("platform_pipelines") / "presets"
    return tuple(sorted(each.name.removesuffix(_SUFFIX) for each in folder.iterdir() if each.name.endswith(_SUFFIX)))


def filled(value: Any, values: Mapping[str, Any], *, listed: bool) -> Any:  # noqa: ANN401 - any YAML value
    """``value`` with the names in braces replaced.

    What consists of a name only takes its value as it is, and is left out where
    that is empty; a list within a text has commas between.

    Args:
        value: texts in mappings and lists.
        values: by name; other names stay as they are.
        listed: whether a list stays one, as in a body; else it has commas between.
    """
    found = _filled(value, values, listed=listed)
    return None if found is _LEFT_OUT else found


def _filled(value: Any, values: Mapping[str, Any], *, listed: bool) -> Any:  # noqa: ANN401 - any YAML value
    if isinstance(value, Mapping):
        pairs = ((key, _filled(each, values, listed=listed)) for key, each in value.items())
        return {key: each for key, each in pairs if each is not _LEFT_OUT}
    if isinstance(value, list | tuple):
        found = (_filled(each, values, listed=listed) for each in value)
        return [each for each in found if each is not _LEFT_OUT]
    if not isinstance(value, str):
        return value
    alone = _NAME.fullmatch(value)
    if alone and alone[1] in values:
        whole = values[alone[1]]
        if whole is None or whole in ([], "", ()):
            return _LEFT_OUT
        return whole if listed or not isinstance(whole, list | tuple) else _text(whole)
    return _NAME.sub(lambda match: _text(values[match[1]]) if match[1] in values else match[0], value)


def _text(value: Any) -> str:  # noqa: ANN401 - any YAML value
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of both; mappings of the same ``type`` are merged, everything else is replaced."""
    found = dict(under)
    for key, value in over.items():
        below = found.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping) and _alike(below, value):
            found[key] = _merged(below, value)
        elif value is not None:
            found[key] = value
    return found


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(other.get("type", one.get("type")) == one.get("type"))

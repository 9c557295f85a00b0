"""What is wrong with a connection's configuration, in the words of ``connectors.yaml``.

Places are given to the line, choices with the nearest one. Validation itself is
left to the connectors' models.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from platform_pipelines.errors import SpecError
from platform_pipelines.http.masking import mask_text
from platform_pipelines.spec.nearest import nearest
from platform_pipelines.spec.secrets import has_reference
from platform_pipelines.spec.telling import hides

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

    from platform_pipelines.spec import ConnectorSpec

Place = tuple[int | str, ...]
#: mappings whose keys are names that only the other side knows
FREE = frozenset({"headers", "params", "body"})
_USER = re.compile(r"(?<=://)[^\s/?#]*@")
_QUERY = re.compile(r"(?P<url>\w://[^\s?#]*)[?#].*", re.DOTALL)
#: what is wanted instead, by the beginning of pydantic's type of error
_WANTED = {"dict_": "must be a mapping", "mapping_": "must be a mapping", "model_": "must be a mapping"}
_WANTED |= {"list_": "must be a list", "tuple_": "must be a list"}


def hidden(spec: ConnectorSpec, error: ErrorDetails) -> bool:
    """Whether the error concerns a value that a secret reference stands for."""
    if error["type"] in {"missing", "extra_forbidden", "union_tag_invalid"} or not error["loc"]:
        return False
    return has_reference(_at(spec.config, _written(spec.config, error["loc"])))


def explained(spec: ConnectorSpec, cls: type[BaseModel], errors: Sequence[ErrorDetails]) -> SpecError:
    """All findings in one error, at the line of the first."""
    # a mistyped key is why the right one is missing
    errors = sorted(errors, key=lambda error: error["type"] != "extra_forbidden")
    sentences = " ".join(_sentence(spec, cls, error) for error in errors)
    message = f"Connector `{spec.name}` (type {spec.type}): {sentences}"
    return SpecError(mask_text(message), file=spec.file, line=line_of(spec, errors[0]["loc"]))


def _sentence(spec: ConnectorSpec, cls: type[BaseModel], error: ErrorDetails) -> str:
    path = _written(spec.config, error["loc"])
    where, kind = ".".join(map(str, path)) or "configuration", error["type"]
    if kind == "extra_forbidden":
        known = _keys(cls, error["loc"][:-1])
        return f"unknown key `{where}`. Allowed: {', '.join(known)}.{nearest(path[-1], known)}"
    if kind == "missing":
        return f"the key `{where}` is missing. Keys: {', '.join(_keys(cls, error['loc'][:-1]))}."
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _untagged(where, error)
    # written in plain, it is not shown for that
    secret = SecretStr in kinds(cls, error["loc"]) or (not FREE.isdisjoint(path[:-1]) and hides(str(path[-1])))
    return _about_value(where if path else "", None if secret else _at(spec.config, path), error)


def _about_value(where: str, written: Any, error: ErrorDetails) -> str:  # noqa: ANN401 - any YAML value
    kind = error["type"]
    said = next((text for mark, text in _WANTED.items() if kind.startswith(mark)), error["msg"])
    said = said.removeprefix("Value error, ").rstrip(".")
    end = "" if said.endswith("?") else "."
    if kind == "literal_error":
        end += nearest(written, re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", ""))))
    if not where:
        return f"{said}{end}"
    bare = written is None or isinstance(written, dict | list | tuple)
    return f"`{where}`{'' if bare else f' is {_shown(written)!r}:'} {said}{end}"


def _shown(written: Any) -> Any:  # noqa: ANN401 - any YAML value
    """A value for people: a URL without its user and its query, where secrets may stand under any name."""
    return _QUERY.sub(r"\g<url>?…", _USER.sub("***@", written)) if isinstance(written, str) else written


def _untagged(where: str, error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    choices = re.findall(r"'([^']*)'", str(context.get("expected_tags", "")))
    if not choices:
        return f"the key `{where}.type` is missing."
    found = context["tag"]
    return f"unknown type `{found}` in `{where}`. Allowed: {', '.join(choices)}.{nearest(found, choices)}"


def line_of(spec: ConnectorSpec, path: Place) -> int | None:
    """The line of the deepest part of the path that stands in the file."""
    written = _written(spec.config, path)
    for length in range(len(written), 0, -1):
        if written[:length] in spec.lines:
            return spec.lines[written[:length]]
    return spec.line


def _written(config: Any, path: Place) -> Place:  # noqa: ANN401 - any YAML value
    """The path without the tags of unions, which pydantic puts between."""
    parts: list[int | str] = []
    for index, part in enumerate(path):
        if _has(config, part):
            parts.append(part)
            config = config[part]
        elif index == len(path) - 1:
            parts.append(part)
    return tuple(parts)


def _has(config: Any, part: int | str) -> bool:  # noqa: ANN401 - any YAML value
    if isinstance(config, list | tuple):
        return isinstance(part, int) and part < len(config)
    return isinstance(config, Mapping) and part in config


def _at(config: Any, path: Place) -> Any:  # noqa: ANN401 - any YAML value
    for part in path:
        if not _has(config, part):
            return None
        config = config[part]
    return config


def _keys(cls: type[BaseModel], path: Place) -> list[str]:
    """The keys that may stand at a place."""
    models = [each for each in kinds(cls, path) if isinstance(each, type) and issubclass(each, BaseModel)]
    return list(dict.fromkeys(f.alias or name for each in models for name, f in each.model_fields.items()))


def kinds(cls: type[BaseModel], path: Place) -> list[Any]:
    """What may stand at a place."""
    current: list[Any] = [cls]
    for part in path:
        tagged = [each for each in current if tag(each) == part]
        current = tagged if tagged and len(current) > 1 else [inner for each in current for inner in _inner(each, part)]
    return current


def _inner(kind: Any, part: int | str) -> Iterator[Any]:  # noqa: ANN401 - any annotation
    """What may stand under a key of a model, a mapping or a list."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if (field.alias or name) == part:
                yield from _flat(field.annotation)
    elif get_args(kind):
        yield from _flat(get_args(kind)[1 if len(get_args(kind)) > 1 and get_args(kind)[1] is not Ellipsis else 0])


def _flat(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - any annotation
    """The kinds of which an annotation allows one."""
    if get_origin(annotation) is Annotated:
        yield from _flat(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, types.UnionType}:
        for each in get_args(annotation):
            yield from _flat(each)
    else:
        yield annotation


def tag(kind: Any) -> Any:  # noqa: ANN401 - any annotation
    """The ``type`` by which a model is told from others."""
    fields = getattr(kind, "model_fields", {})
    choices = get_args(fields["type"].annotation) if "type" in fields else ()
    return choices[0] if choices else None

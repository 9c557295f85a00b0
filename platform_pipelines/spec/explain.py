"""pydantic's findings in the words of a user: the value, where, what is allowed, what next."""

from __future__ import annotations

import re
import types
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from platform_pipelines.spec.base import Frozen
from platform_pipelines.spec.destination import MODE_ALIASES
from platform_pipelines.spec.nearest import allowed, closest, nearest, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

Path = tuple[int | str, ...]

_KINDS = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a mapping",
    "mapping": "a mapping",
    "model": "a mapping",
    "model_attributes": "a mapping",
    "dataclass": "a mapping",
}
_LIMITS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
#: keys of one discriminated union are told apart by these, which pydantic puts into its paths
_TAGGED = {"TimePartitions": "time", "ValuePartitions": "value"}


def explain(error: ErrorDetails, model: type[Frozen], tree: Any) -> str:  # noqa: ANN401 - any YAML value
    """One sentence or more about one finding of ``model.model_validate(tree)``."""
    path, context, value = error["loc"], error.get("ctx", {}), error.get("input")
    key, place = (str(path[-1]) if path else ""), where(path[:-1], tree)
    kind = error["type"]
    if kind == "value_error":
        # one about a whole mapping says by itself what it is about
        return str(context["error"]) if isinstance(value, dict) else f"{_subject(path, tree)}: {context['error']}"
    if kind == "extra_forbidden":
        return f"Unknown key `{key}` in {place}. {allowed(key, _keys(model, path[:-1]))}"
    if kind == "missing":
        return f"{_capital(place)} lacks `{key}`. Add `{key}: …`.{_meaning(model, path)}"
    if kind == "literal_error":
        return _choice(key, value, place, re.findall(r"'([^']*)'", str(context["expected"])))
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _tag(error, place=where(path, tree))
    return f"{_subject(path, tree)} {_requirement(kind, context, value)}"


def _subject(path: Path, tree: Any) -> str:  # noqa: ANN401 - any YAML value
    path = _written(path, tree)
    if len(path) > 1 and isinstance(path[-1], int):
        return f"`{path[-2]}[{path[-1]}]` in {where(path[:-2], tree)}"
    return f"`{path[-1]}` in {where(path[:-1], tree)}"


def without_echoes(errors: list[ErrorDetails], model: type[Frozen]) -> list[ErrorDetails]:
    """The findings but those that only repeat others.

    A list counts as too short if its items are wrong, and a key as missing that is misspelt.
    """
    misspelt = {
        (*path, closest(key, _keys(model, path)))
        for *path, key in (error["loc"] for error in errors if error["type"] == "extra_forbidden")
    }
    return [
        error
        for error in errors
        if not (error["type"] == "too_short" and error["input"])
        and not (error["type"] == "missing" and error["loc"] in misspelt)
    ]


def where(path: Path, tree: Any) -> str:  # noqa: ANN401 - any YAML value
    """The place in words: ``the pipeline``, ```source.cursor```, ``destination `warehouse```."""
    parts: list[str] = []
    label = ""
    path = _written(path, tree)
    for index, part in enumerate(path):
        tree = _child(tree, part)
        if isinstance(part, int):
            holder = str(path[index - 1]) if index else "item"
            label, parts = _item(holder, part, tree), []
        else:
            parts.append(str(part))
    inner = f"`{'.'.join(parts)}`" if parts else ""
    return " of ".join(each for each in (inner if label else "", label) if each) or inner or "the pipeline"


def _written(path: Path, tree: Any) -> Path:  # noqa: ANN401 - any YAML value
    """``path`` without the tags that pydantic puts between."""
    parts: list[int | str] = []
    for part in path:
        inside = _child(tree, part)
        if inside is not tree:
            parts.append(part)
        tree = inside
    return tuple(parts)


def _child(tree: Any, part: int | str) -> Any:  # noqa: ANN401 - any YAML value
    if isinstance(tree, dict) and part in tree:
        return tree[part]
    if isinstance(tree, list | tuple) and isinstance(part, int) and part < len(tree):
        return tree[part]
    return tree


def _item(holder: str, index: int, item: Any) -> str:  # noqa: ANN401 - any YAML value
    names = {"destinations": "name", "rules": "id", "transforms": "label"}
    name = item.get(names[holder]) if isinstance(item, dict) and holder in names else None
    return f"{holder[:-1]} `{name}`" if name else f"`{holder}[{index}]`"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _choice(key: str, value: Any, place: str, choices: list[str]) -> str:  # noqa: ANN401 - any YAML value
    aliases = MODE_ALIASES if "append" in choices else {}
    if key == "by":
        choices = [*choices, "value"]
    hint = nearest(value, [*choices, *aliases])
    for alias, meant in aliases.items():
        hint = hint.replace(f"`{alias}`?", f"`{alias}` (an alias of {meant})?")
    shown = f"`{value}`" if isinstance(value, str) else show(value)
    return f"Unknown {key} {shown} for {place}. Allowed: {', '.join(choices)}.{hint}"


def _tag(error: ErrorDetails, place: str) -> str:
    context = error["ctx"]
    expected = context.get("expected_tags")
    if expected is None:
        return f"{_capital(place)} lacks `type`. Add it, such as `type: required`."
    choices = re.findall(r"'([^']*)'", str(expected))
    return f"Unknown rule type `{context['tag']}` in {place}. {allowed(context['tag'], choices)}"


def _requirement(kind: str, context: dict[str, Any], value: Any) -> str:  # noqa: ANN401 - any YAML value
    if kind in _LIMITS:
        limit, word = _LIMITS[kind]
        return f"is {show(value)}. Allowed: {word} {_plain(context[limit])}."
    if kind in {"string_too_short", "too_short"}:
        return (
            "is empty. Write at least one." if kind == "too_short" else "is an empty text. Write a value, or remove it."
        )
    if kind == "too_long":
        return f"holds {context['actual_length']}. Allowed: at most {context['max_length']}."
    wanted = _KINDS.get(kind.removesuffix("_type").removesuffix("_parsing"), "another value")
    return f"must be {wanted}, not {_found(value)}.{_remedy(wanted, value)}"


def _plain(limit: Any) -> Any:  # noqa: ANN401 - a number, or whatever else has an order
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


def _found(value: Any) -> str:  # noqa: ANN401 - any YAML value
    if value is None:
        return "empty"
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"true or false ({str(value).lower()})" if isinstance(value, bool) else show(value)


def _remedy(wanted: str, value: Any) -> str:  # noqa: ANN401 - any YAML value
    if isinstance(value, dict | list | tuple) or value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if wanted == "a text":
        return f' Quote it: "{text}".'
    if wanted == "a list":
        return f" Write [{text}]."
    if wanted in {"a whole number", "a number"} and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return " Remove the quotes." if isinstance(value, str) else " Remove the fraction."
    return ""


def _keys(model: type[Frozen], path: Sequence[int | str]) -> list[str]:
    found = [each for each in _walk(model, path) if issubclass(each, Frozen)]
    return sorted(
        {key for each in found for key in each.yaml_keys()}, key=[k for e in found for k in e.yaml_keys()].index
    )


def _meaning(model: type[Frozen], path: Path) -> str:
    for each in _walk(model, path[:-1]):
        for name, field in each.model_fields.items():
            if (field.alias or name) == path[-1] and field.description:
                return f" {field.description}"
    return ""


def _walk(model: type[BaseModel], path: Sequence[int | str]) -> list[type[BaseModel]]:
    """The models that may stand at ``path``."""
    current: list[type[BaseModel]] = [model]
    for part in path:
        tagged = [each for each in current if part == _tag_of(each)]
        if tagged and len(current) > 1:
            current = tagged
        elif isinstance(part, str):
            fields = [f for each in current for n, f in each.model_fields.items() if (f.alias or n) == part]
            current = [found for field in fields for found in _models(field.annotation)]
    return current


def _tag_of(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("type")
    return str(get_args(field.annotation)[0]) if field else _TAGGED.get(model.__name__)


def _models(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in {Annotated, Union, types.UnionType, tuple}:
        return [found for each in get_args(annotation) for found in _models(each)]
    return []

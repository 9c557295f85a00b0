"""Every field of every connector that may hold a reference to a secret, found in the models themselves.

A path names a field as ``rest.auth<bearer>.token``: a member of a union by its
``type``, ``*`` any key of a mapping, ``[]`` the items of a list.
"""

from __future__ import annotations

import collections.abc
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from platform_pipelines.connectors.registry import connector_class, connector_types

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pydantic.fields import FieldInfo

#: rows are no configuration
_ROWS = "memory.data"


class Leaf(NamedTuple):
    """One field.

    Attributes:
        path: its name.
        secret: whether it is declared secret.
    """

    path: str
    secret: bool


def leaves() -> list[Leaf]:
    """All of them, of the connectors that are shipped."""
    shipped = [name for name, point in connector_types().items() if point.value.startswith("platform_pipelines.")]
    classes = {name: connector_class(name) for name in shipped}
    found = [leaf for name, cls in classes.items() for leaf in _of_model(cls, name, _inherited(cls, classes.values()))]
    return [leaf for leaf in found if not leaf.path.startswith(_ROWS)]


def secret_paths() -> set[str]:
    """The paths of fields that are declared secret."""
    return {leaf.path for leaf in leaves() if leaf.secret}


def _inherited(cls: type[BaseModel], shipped: Iterable[type[BaseModel]]) -> set[str]:
    """The fields that a connector has, unchanged, from another one that is shipped: they are that one's."""
    bases = [each for each in shipped if each is not cls and issubclass(cls, each)]
    same = {name for each in bases for name, field in each.model_fields.items() if _is_same(cls, name, field)}
    return same | {"type"}


def _is_same(cls: type[BaseModel], name: str, field: FieldInfo) -> bool:
    return name in cls.model_fields and cls.model_fields[name].annotation == field.annotation


def _of_model(model: type[BaseModel], path: str, but: Collection[str] = ("type",)) -> Iterator[Leaf]:
    for name, field in model.model_fields.items():
        if name not in but:
            yield from _of_type(field.annotation, f"{path}.{field.alias or name}")


def _of_type(annotation: Any, path: str) -> Iterator[Leaf]:
    origin, inside = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _of_model(annotation, path)
    elif origin is Annotated:
        yield from _of_type(inside[0], path)
    elif origin in {Union, types.UnionType}:
        members = [each for each in inside if each is not type(None)]
        for each in members:
            yield from _of_type(each, path if len(members) == 1 else f"{path}{_tag(each)}")
    elif origin in {dict, collections.abc.Mapping}:
        yield from _of_type(inside[1], f"{path}.*")
    elif origin in {tuple, list}:
        yield from _of_type(inside[0], f"{path}[]")
    elif origin is not Literal and annotation is not bool:
        yield Leaf(path, annotation is SecretStr)


def _tag(member: Any) -> str:
    member = get_args(member)[0] if get_origin(member) is Annotated else member
    field = getattr(member, "model_fields", {}).get("type")
    if field is None or get_origin(field.annotation) is not Literal:
        return ""
    return f"<{get_args(field.annotation)[0]}>"

"""Structures of nested JSON values, in DuckDB's notation, and how two of them become one.

A structure is a type's name, an object of structures by key, or a list of one
structure. Reading values is left to ``casts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = ("BIGINT", "DOUBLE")
# Arrow's C interface takes 64 levels of types; deeper values stay JSON
_DEEPEST = 32


def simplified(structure: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The structure with signed integers only; None where shapes conflict or nothing is known."""
    if isinstance(structure, dict):
        parts = {key: simplified(value) for key, value in structure.items()}
        folded = {key.lower() for key in parts}
        usable = parts and "" not in parts and len(folded) == len(parts) and None not in parts.values()
        return parts if usable else None
    if isinstance(structure, list):
        inner = simplified(structure[0])
        return None if inner is None else [inner]
    return {"UBIGINT": "BIGINT", "JSON": None}.get(structure, structure)


def is_deep(structure: Any, levels: int = _DEEPEST) -> bool:  # noqa: ANN401 - any JSON value
    """Whether values of the structure are nested deeper than columns of structs and lists can be."""
    inner = structure.values() if isinstance(structure, dict) else structure if isinstance(structure, list) else ()
    return levels == 0 or any(is_deep(part, levels - 1) for part in inner)


def merged(one: Any, other: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A structure that holds values of both; None if there is none."""
    if other in (one, "NULL"):
        return one
    if one == "NULL":
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        parts = {key: merged(one.get(key, "NULL"), other.get(key, "NULL")) for key in {**one, **other}}
        return None if None in parts.values() else parts
    if isinstance(one, list) and isinstance(other, list):
        inner = merged(one[0], other[0])
        return None if inner is None else [inner]
    return "DOUBLE" if one in _NUMBERS and other in _NUMBERS else None


def settled(structure: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The structure with text where only NULLs were seen."""
    if isinstance(structure, dict):
        return {key: settled(value) for key, value in structure.items()}
    if isinstance(structure, list):
        return [settled(structure[0])]
    return "VARCHAR" if structure == "NULL" else structure


def structure_of(data_type: pa.DataType) -> Any:  # noqa: ANN401 - any JSON value
    """The structure of an Arrow type that a JSON file was read as."""
    import pyarrow.types as t

    if t.is_struct(data_type):
        return {field.name: structure_of(field.type) for field in data_type}
    if t.is_list(data_type) or t.is_large_list(data_type):
        return [structure_of(data_type.value_type)]
    if t.is_integer(data_type):
        return "BIGINT"
    if t.is_floating(data_type):
        return "DOUBLE"
    return "BOOLEAN" if t.is_boolean(data_type) else "VARCHAR"

"""Paths into a JSON answer: dotted, or JSONPath (RFC 9535)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

if TYPE_CHECKING:
    from jsonpath_rfc9535 import JSONPathQuery


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value stands.

    Attributes:
        text: as written.
        keys: the keys of a dotted path; None for a JSONPath.
    """

    text: str
    keys: tuple[str, ...] | None = field(default=None)

    def find(self, document: Any) -> Any:  # noqa: ANN401 - any JSON value
        """The value; None where there is none. A JSONPath of several values gives a list of them."""
        if self.keys is None:
            return _by_query(self.text, document)
        if isinstance(document, dict) and self.text in document:  # such as `@odata.nextLink`
            return document[self.text]
        for key in self.keys:
            document = _step(document, key)
        return document

    def misses(self, document: Any) -> bool:  # noqa: ANN401 - any JSON value
        """Whether a JSONPath such as ``$.data[*]``, which finds nothing, leads to no array either, empty or null."""
        if self.keys is not None or not self.text.endswith("[*]"):
            return False
        found = _compiled(self.text.removesuffix("[*]")).find(document).values()
        return not any(value is None or isinstance(value, list | dict) for value in found)

    def holds_null(self, document: Any) -> bool:  # noqa: ANN401 - any JSON value
        """Whether a JSONPath of one value leads to null, which is not the same as to nothing."""
        return list(_compiled(self.text).find(document).values()) == [None]

    def starts_in(self, other: Path) -> bool:
        """Whether this path leads into what ``other`` leads to."""
        if self.keys is not None and other.keys is not None:
            return self.keys[: len(other.keys)] == other.keys
        return True  # of a JSONPath it is not known

    def __str__(self) -> str:
        return self.text


def json_path(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """A path as written in YAML.

    Raises:
        ValueError: it is no path.
    """
    if isinstance(value, Path) or not isinstance(value, str):
        return value
    if value.startswith("$"):
        if value != "$":
            _compiled(value)
            return Path(value)
        return Path(value, ())
    keys = tuple(value.split(".")) if value else ()
    if "" in keys:
        msg = f"{value!r} is not a path. Write keys with points between them, or a JSONPath that begins with $"
        raise ValueError(msg)
    return Path(value, keys)


JsonPath = Annotated[
    Path, BeforeValidator(json_path), PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string"})
]


def _step(document: Any, key: str) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(document, dict):
        return document.get(key)
    if isinstance(document, list) and key.lstrip("-").isdecimal():
        index = int(key)
        return document[index] if -len(document) <= index < len(document) else None
    return None


@lru_cache(maxsize=256)
def _compiled(text: str) -> JSONPathQuery:
    import jsonpath_rfc9535

    try:
        return jsonpath_rfc9535.compile(text)
    except jsonpath_rfc9535.JSONPathError as error:
        msg = f"{text!r} is not a JSONPath: {error}"
        raise ValueError(msg) from None


def _by_query(text: str, document: Any) -> Any:  # noqa: ANN401 - any JSON value
    query = _compiled(text)
    found = query.find(document).values()
    if query.singular_query():
        return found[0] if found else None
    return found

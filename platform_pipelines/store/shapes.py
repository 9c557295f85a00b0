"""Whether a body read from the landing log has the shape that was written: keys, types, names of files."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Kinds = dict[str, type | tuple[type, ...]]


def checked(body: Any, kinds: Kinds) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    """The body, of which every key has a value of its type.

    Raises:
        KeyError: a key is missing.
        TypeError: the body is no object, or a value is of another type.
    """
    if not isinstance(body, dict):
        msg = f"{type(body).__name__} where an object was written"
        raise TypeError(msg)
    for name, kind in kinds.items():
        value = body[name]
        wrong = not isinstance(value, kind) or (isinstance(value, bool) and kind is int)
        if wrong:
            msg = f"{name} is {type(value).__name__}"
            raise TypeError(msg)
    return body


def inside(path: str) -> str:
    """The path of a file, which must lie below the folder that it is relative to.

    Raises:
        ValueError: it leads elsewhere.
    """
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or path.startswith("/") or "\0" in path:
        msg = f"{path!r} leads out of the batch's folder"
        raise ValueError(msg)
    return path

"""The names a user's text sees: harmless builtins and read-only modules; runs in the child.

A module is shown as a class that cannot be written to, with its public names
only: no modules it imported, no lists or mappings that could be changed, none of
the functions that change the module's state or write attributes. So nothing a
record does can be found by a later one.
"""

from __future__ import annotations

import _string  # type: ignore[import-not-found]
import builtins
import importlib
import string
import sys
import types
from typing import Any

#: file name of a user's text in tracebacks
TEXT = "<transform>"
#: builtins that only compute; exceptions come on top
SAFE = (
    "None", "True", "False", "abs", "all", "any", "ascii", "bin", "bool", "bytearray", "bytes", "callable", "chr",
    "complex", "dict", "divmod", "enumerate", "filter", "float", "format", "frozenset", "hash", "hex", "int",
    "isinstance", "issubclass", "iter", "len", "list", "map", "max", "min", "next", "oct", "ord", "pow", "range",
    "repr", "reversed", "round", "set", "slice", "sorted", "str", "sum", "tuple", "zip",
)  # fmt: skip
#: public names that change a module's state, write attributes of other objects, or reach other modules
_DENIED = {
    "functools": {
        "update_wrapper", "wraps", "total_ordering", "singledispatch", "singledispatchmethod", "cached_property",
        "WRAPPER_ASSIGNMENTS", "WRAPPER_UPDATES", "get_cache_token", "namedtuple",
    },
    "decimal": {"BasicContext", "DefaultContext", "ExtendedContext", "setcontext"},
    "zoneinfo": {"reset_tzpath", "TZPATH"},
    "string": {"Formatter"},
    "uuid": {"getnode", "uuid1", "main"},
    "base64": {"main", "test"},
    "random": {"SystemRandom"},
    "collections": {"UserDict", "UserList", "UserString"},
}  # fmt: skip

#: ways into frames, generators and classes that are not spelled with an underscore
_INNER = (
    "gi_",
    "cr_",
    "ag_",
    "tb_",
    "co_",
    "f_back",
    "f_builtins",
    "f_code",
    "f_generator",
    "f_globals",
    "f_locals",
    "f_trace",
)
_INNER_NAMES = frozenset({"mro", "clear_cache", "register", "with_traceback"})

#: what could be changed through a module, or leads to other modules
_OPEN = (types.ModuleType, list, dict, set)


class _Sealed(type):
    """A class nobody can write to."""

    def __setattr__(cls, name: str, value: object) -> None:
        msg = f"`{cls.__name__}` is read-only; `{name}` cannot be set"
        raise TypeError(msg)

    def __delattr__(cls, name: str) -> None:
        msg = f"`{cls.__name__}` is read-only; `{name}` cannot be deleted"
        raise TypeError(msg)


class _Formatter(string.Formatter):
    """``str.format`` without a way into objects."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:  # noqa: ANN401 - any value
        _, rest = _string.formatter_field_name_split(field_name)
        if any(is_attribute and is_inner(name) for is_attribute, name in rest):
            msg = f"`{{{field_name}}}` reaches for a private name; a format may name public attributes only"
            raise ValueError(msg)
        return super().get_field(field_name, args, kwargs)


_FORMATTER = _Formatter()


def names(modules: list[str]) -> dict[str, Any]:
    """The globals of a user's text.

    Args:
        modules: what it imports, such as ``["re", "urllib.parse"]``.
    """
    shown = {name: _show(name) for name in modules}

    def import_module(name: str, *rest: Any) -> Any:  # noqa: ANN401 - as builtins.__import__
        wanted = rest[2] if len(rest) > 2 else ()  # noqa: PLR2004 - (globals, locals, fromlist)
        if isinstance(wanted, list) and name in sys.modules:  # C code that needs a module, and finds it there
            return sys.modules[name]
        if name not in shown:
            msg = f"`import {name}` is not allowed"
            raise ImportError(msg)
        return shown[name] if wanted else _path(name, shown)

    allowed = {name: getattr(builtins, name) for name in SAFE}
    allowed |= {name: value for name, value in vars(builtins).items() if is_exception(value)}
    allowed |= {"type": type_of, "__import__": import_module}
    return {"__builtins__": allowed, "__name__": "transform", "__format_of": format_of}


def is_inner(name: str) -> bool:
    """Whether an attribute leads into objects, frames or classes."""
    return name.startswith(("_", *_INNER)) or name in _INNER_NAMES


def type_of(value: object) -> type:
    """``type`` of one argument that is no class; else it would make classes, whose ways into objects nobody guards."""
    if isinstance(value, type):
        msg = f"`type({value.__name__})` is not allowed: the type of a type makes classes"
        raise TypeError(msg)
    return type(value)


def format_of(value: Any, name: str) -> Any:  # noqa: ANN401 - any value
    """``value.format`` or ``value.format_map``, guarded where ``value`` is text."""
    if isinstance(value, type) and issubclass(value, str):
        msg = "write `text.format(…)`, not `str.format(text, …)`"
        raise TypeError(msg)
    if not isinstance(value, str):
        return getattr(value, name)
    if name == "format_map":
        return lambda mapping: _FORMATTER.vformat(value, (), mapping)
    return lambda *args, **kwargs: _FORMATTER.vformat(value, args, kwargs)


def is_exception(value: object) -> bool:
    """Whether this is a class of exceptions that a text may raise and catch."""
    return isinstance(value, type) and issubclass(value, Exception)


def _path(name: str, shown: dict[str, Any]) -> Any:  # noqa: ANN401 - a sealed module
    """What ``import a.b`` binds: ``a``, with ``b`` in it."""
    first, _, rest = name.partition(".")
    if not rest:
        return shown[name]
    body = dict(vars(shown[first])) if first in shown else {}
    return _seal(
        first, body | {key.partition(".")[2]: value for key, value in shown.items() if key.startswith(f"{first}.")}
    )


def _show(name: str) -> Any:  # noqa: ANN401 - a sealed module
    module = importlib.import_module(name)
    public = getattr(module, "__all__", None) or [each for each in vars(module) if _is_own(module, each)]
    denied = _DENIED.get(name, set())
    body = {each: getattr(module, each) for each in public if each not in denied}
    body |= {each: instead for each, instead in _INSTEAD.get(name, {}).items() if each in body}
    return _seal(name, {key: value for key, value in body.items() if not isinstance(value, _OPEN)})


def _is_own(module: types.ModuleType, name: str) -> bool:
    """Whether a public name is the module's own, and no class or function that it imported."""
    value = getattr(module, name)
    own = {module.__name__, f"_{module.__name__}", None}  # `_decimal` is what `decimal` is made of
    borrowed = callable(value) and getattr(value, "__module__", None) not in own
    return not name.startswith("_") and not borrowed


def _context() -> Any:  # noqa: ANN401 - a decimal.Context
    import decimal

    return decimal.getcontext().copy()


_INSTEAD: dict[str, dict[str, Any]] = {"decimal": {"getcontext": _context}}


def _seal(name: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - a class
    plain = (types.FunctionType, types.BuiltinFunctionType)
    kept = {key: value for key, value in body.items() if not key.startswith("__")}
    return _Sealed(name, (), {k: staticmethod(v) if isinstance(v, plain) else v for k, v in kept.items()})

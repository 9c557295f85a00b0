"""The calls in the source by which a load sends statements to a database, by name, and which of them a frame is at.

All statements of a load pass through the few functions of a connector that have the
effect. So who sends one is a unit of completeness, too: each call from the script of a load
down to those functions. What a connector asks outside of a load only reads, and does not count.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from platform_pipelines_tests.torture.callsites import (
    DURABLE,
    EFFECTS,
    PACKAGE,
    CallSite,
    at,
    effect_called,
    module_of,
    modules,
    named,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import FrameType

    Sources = Mapping[str, ast.Module]
    #: names of functions that send, by module
    Senders = Mapping[str, frozenset[str]]

_SCRIPT = "sql/"
_DESTINATION = "_destination.py"
_EFFECT = "durable."
#: the kind of effect that only reads; inside of a load it may lock, outside of it it does not count
_QUERY = repr("query")
#: what drivers send by; statements sent so are ``scan``'s to find, and effects themselves
_DRIVERS = ("connection", "transaction", "cursor", "_encoder")
#: what senders are handed on from without being called
_HOLDERS = frozenset({"self", "database"})


@cache
def sending_calls(module: str) -> tuple[CallSite, ...]:
    """The calls of a module of the package that send a statement of a load; most modules have none."""
    return _of_package().get(module, ())


def in_sources(texts: Mapping[str, str]) -> dict[str, tuple[CallSite, ...]]:
    """The calls that send a statement, by module.

    Args:
        texts: source of modules, by their path inside the package.
    """
    every = {module: ast.parse(text) for module, text in texts.items()}
    trees = {module: tree for module, tree in every.items() if _of_a_load(module) or _runs_loads(tree)}
    sending, writing = (_senders(trees, only_writing=only) for only in (False, True))
    found = {}
    for module, tree in trees.items():
        called = _rule(module, sending if _of_a_load(module) else writing)
        found[module] = named(tree, module, called)
    return found


def of_frame(frame: FrameType) -> tuple[str, ...]:
    """The calls by which an effect's statement was sent, the innermost first; none if it is no load's.

    Args:
        frame: one that is further in than the call that has the effect.

    A function of a load that is at no call known to send is ``module:function:?``.
    """
    within: FrameType | None = frame
    while within is not None and module_of(within) in {None, DURABLE, EFFECTS}:
        within = within.f_back
    found: list[str] = []
    if within is None or module_of(within) not in _of_package():
        return ()
    while (within := within.f_back) is not None:
        module = module_of(within)
        if module is None:
            continue
        if module not in _of_package():
            break
        if (call := _call_at(within, module)) is not None:
            found.append(call)
    return tuple(dict.fromkeys(found))


def _call_at(frame: FrameType, module: str) -> str | None:
    """The sending call that a frame is at; of a module that sends nothing by itself, and outside of loads, None."""
    call = at(frame, module, sending_calls)
    if call is None and sending_calls(module) and _of_a_load(module):
        return f"{module}:{frame.f_code.co_name}:?"
    return call


@cache
def _of_package() -> dict[str, tuple[CallSite, ...]]:
    return in_sources({module: (PACKAGE / module).read_text(encoding="utf-8") for module in modules()})


def _of_a_load(module: str) -> bool:
    """Whether what the module sends goes into the transaction of a load."""
    return module.startswith(_SCRIPT) or _is_destination(module)


def _is_destination(module: str) -> bool:
    return module.startswith("connectors/") and module.endswith(_DESTINATION)


def _runs_loads(tree: ast.Module) -> bool:
    """Whether a module imports what loads are made of."""
    imported = (node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return any(f"{each}.py".endswith(_DESTINATION) or each.endswith("sql.script") for each in imported)


def _senders(trees: Sources, *, only_writing: bool) -> Senders:
    """Functions that send: those of destinations that have the effect, and those that call one that sends."""
    functions = {
        module: [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)] for module, tree in trees.items()
    }
    found = {
        module: frozenset(
            f.name for f in there if _is_destination(module) and _has_effect(f, only_writing=only_writing)
        )
        for module, there in functions.items()
    }
    while True:
        more = {
            module: found[module] | frozenset(f.name for f in there if _calls_any(f, _rule(module, found)))
            for module, there in functions.items()
        }
        if more == found:
            return found
        found = more


def _has_effect(function: ast.FunctionDef, *, only_writing: bool) -> bool:
    effects = (
        n for n in ast.walk(function) if isinstance(n, ast.Call) and (effect_called(n) or "").startswith(_EFFECT)
    )
    return any(not only_writing or ast.unparse(call.args[0]) != _QUERY for call in effects)


def _calls_any(function: ast.FunctionDef, rule: Callable[[ast.Call], str | None]) -> bool:
    return any(rule(node) is not None for node in ast.walk(function) if isinstance(node, ast.Call))


def _rule(module: str, senders: Senders) -> Callable[[ast.Call], str | None]:
    """What a call of the module is named if it sends; None for any other.

    A destination knows itself and the script; whatever else is called by a sender's name is taken for one, but a driver.
    """
    own = senders[module]
    others = _united(there for each, there in senders.items() if each.startswith(_SCRIPT))
    if not _is_destination(module):
        others |= _united(there for each, there in senders.items() if _is_destination(each))

    def called(call: ast.Call) -> str | None:
        handed = [*call.args, *(keyword.value for keyword in call.keywords)]
        found = sends(call.func) or any(
            sends(each) and ast.unparse(each.value) in _HOLDERS for each in _methods(handed)
        )
        return ast.unparse(call.func) if found else None

    def sends(function: ast.expr) -> bool:
        if isinstance(function, ast.Name):
            return function.id in own | others
        if not isinstance(function, ast.Attribute):
            return False
        owner = ast.unparse(function.value)
        return function.attr in (own if owner == "self" else own | others) and not owner.endswith(_DRIVERS)

    return called


def _methods(nodes: Iterable[ast.expr]) -> Iterator[ast.Attribute]:
    return (node for node in nodes if isinstance(node, ast.Attribute))


def _united(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)

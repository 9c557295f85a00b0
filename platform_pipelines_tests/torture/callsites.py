"""The calls in the source that have a durable effect, by name, and which of them a running frame is at.

A call is the unit of completeness: a second effect of a function, or one in a branch
that no run takes, has a name of its own. How effects that bypass ``durable`` are found
is left to ``scan``.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import platform_pipelines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

PACKAGE = Path(platform_pipelines.__file__).parent
#: the effects themselves
DURABLE = "durable.py"
#: makes larger effects of them, for the landing log; who asked for them is looked for above it
EFFECTS = "store/effects.py"
#: functions of ``store.effects`` that have no effect of their own
_NONE = frozenset({"named_errors"})


@dataclass(frozen=True, slots=True)
class CallSite:
    """One call with an effect.

    Attributes:
        name: ``module:function:call``, from the second of the same in a function on with ``#2``.
        place: first and last line, first and last column (bytes); of a ``with``, those of its item.
        header: lines on which Python may say that the call is: more than its own, where ``with`` stands above it.
    """

    name: str
    place: tuple[int, int, int, int]
    header: range


def modules() -> list[str]:
    """Every module of the package, as a path inside of it."""
    return sorted(file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py"))


@cache
def call_sites(module: str) -> tuple[CallSite, ...]:
    """The calls with an effect of a module of the package; of ``durable`` itself none."""
    return () if module == DURABLE else in_source((PACKAGE / module).read_text(encoding="utf-8"), module)


def in_source(text: str, module: str) -> tuple[CallSite, ...]:
    """The calls with an effect in a module's source."""
    tree = ast.parse(text)
    own = _own_functions(tree) if module == EFFECTS else frozenset()
    return named(tree, module, lambda call: effect_called(call, own))


def named(tree: ast.Module, module: str, wanted: Callable[[ast.Call], str | None]) -> tuple[CallSite, ...]:
    """The calls of a module for which ``wanted`` has a name, each with its own."""
    seen: Counter[str] = Counter()
    found = []
    for function, call, begin in _calls(tree, "", 0):
        if (called := wanted(call)) is not None:
            name = f"{module}:{function}:{called}"
            seen[name] += 1
            last = call.end_lineno or call.lineno
            place = (call.lineno, last, call.col_offset, call.end_col_offset or 0)
            name += f"#{seen[name]}" if seen[name] > 1 else ""
            found.append(CallSite(name, place, range(begin or call.lineno, last + 1)))
    return tuple(found)


def effect_called(node: ast.AST, own: frozenset[str] = frozenset()) -> str | None:
    """``durable.rename`` and the like; None if the node is no such call.

    Args:
        node: any.
        own: functions of the same module that have effects and are called by their bare name.
    """
    called = node.func if isinstance(node, ast.Call) else None
    if isinstance(called, ast.Name):
        return called.id if called.id in own else None
    if not isinstance(called, ast.Attribute) or not isinstance(called.value, ast.Name):
        return None
    owner = called.value.id
    there_is = owner == "durable" or (owner == "effects" and called.attr not in _NONE)
    return f"{owner}.{called.attr}" if there_is else None


def of_frame(frame: FrameType) -> tuple[str, tuple[str, ...]]:
    """The call that asked for an effect, and the calls of ``store.effects`` on the way to it; ``frame`` is further in.

    A caller that names no effect there is ``module:function:?``.
    """
    through: list[str] = []
    above: FrameType | None = frame
    while above is not None:
        module = module_of(above)
        if module is not None and module != DURABLE:
            name = at(above, module, call_sites)
            if module != EFFECTS:
                return name or f"{module}:{above.f_code.co_name}:?", tuple(through)
            through += [name] if name else []
        above = above.f_back
    msg = "an effect that the package did not ask for"
    raise AssertionError(msg)


def module_of(frame: FrameType) -> str | None:
    """The module of the package that a frame runs, as a path inside of it; None if it is of none."""
    return _module(frame.f_code.co_filename)


def at(frame: FrameType, module: str, sites: Callable[[str], tuple[CallSite, ...]]) -> str | None:
    """The name of the call that a frame is at, of those that ``sites`` has of its module; None if it is at none."""
    return _at(frame.f_code, frame.f_lasti, frame.f_lineno, module, sites)


@cache
def _module(file: str) -> str | None:
    path = Path(file)
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else None


@cache
def _at(
    code: CodeType, instruction: int, line: int, module: str, of_module: Callable[[str], tuple[CallSite, ...]]
) -> str | None:
    place = next(islice(code.co_positions(), instruction // 2, None))
    sites = of_module(module)
    exact = [site.name for site in sites if site.place == place]
    near = sorted((len(site.header), site.name) for site in sites if line in site.header)
    return exact[0] if exact else near[0][1] if near else None


def _calls(node: ast.AST, function: str, begin: int) -> Iterator[tuple[str, ast.Call, int]]:
    """Calls below a node, with their function, and the line of the ``with`` of which they are an item (else 0)."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function = node.name
    if isinstance(node, ast.Call):
        yield function, node, begin
    items = {item.context_expr for item in node.items} if isinstance(node, ast.With | ast.AsyncWith) else set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.withitem) and child.context_expr in items:
            yield from _calls(child.context_expr, function, node.lineno)  # type: ignore[attr-defined]
        else:
            yield from _calls(child, function, 0)


def _own_functions(tree: ast.Module) -> frozenset[str]:
    """Functions of a module that have an effect, by themselves or through others of it."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    found: frozenset[str] = frozenset()
    while True:
        more = frozenset(f.name for f in functions if any(effect_called(each, found) for each in ast.walk(f)))
        if more == found:
            return found
        found = more

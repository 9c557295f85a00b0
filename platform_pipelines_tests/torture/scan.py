"""Finds code that has a durable effect without passing through ``platform_pipelines.durable``."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: functions of modules that change what is on disk
_OF_MODULES = {
    "os": frozenset(
        [
            "replace",
            "rename",
            "renames",
            "link",
            "symlink",
            "unlink",
            "remove",
            "rmdir",
            "removedirs",
            "mkdir",
            "makedirs",
            "fsync",
            "fdatasync",
            "truncate",
            "ftruncate",
            "write",
            "pwrite",
            "writev",
            "sendfile",
        ]
    ),
    "shutil": frozenset(["copy", "copy2", "copyfile", "copyfileobj", "copytree", "move", "rmtree"]),
    "tempfile": frozenset(["mkdtemp", "mkstemp", "NamedTemporaryFile", "TemporaryDirectory", "TemporaryFile"]),
}
#: methods, of whatever object, that do
_METHODS = frozenset(
    [
        "write_text",
        "write_bytes",
        "touch",
        "unlink",
        "rmdir",
        "mkdir",
        "rename",
        "symlink_to",
        "hardlink_to",
        "write_table",
        "ParquetWriter",
        "write_csv",
        "write_feather",
        "write_parquet",
        "write_dataset",
        "to_parquet",
        "to_csv",
        "transaction",
    ]
)
_WRITING_SQL = re.compile(
    r"\s*(insert|update|delete|merge|create(?! (or replace )?temp)|drop|alter|truncate|commit|call)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One call: ``module:function`` and what is called."""

    where: str
    call: str
    line: int


def findings(file: Path, name: str) -> list[Finding]:
    """The effects in a module that no ``with durable.…`` names.

    Statements count in connectors only: elsewhere the database is one in memory.

    Args:
        file: the module's source.
        name: the module's path inside the package.
    """
    sql = name.startswith("connectors/") + name.endswith("_destination.py")
    return list(_walk(ast.parse(file.read_text(encoding="utf-8")), name, "", sql))


def _walk(node: ast.AST, name: str, function: str, sql: int) -> Iterator[Finding]:
    if isinstance(node, ast.FunctionDef):
        function = node.name
    if isinstance(node, ast.With) and any(_named(item.context_expr) for item in node.items):
        return
    if isinstance(node, ast.Call):
        if _named(node):
            return
        if (call := _effect(node, sql)) is not None:
            yield Finding(f"{name}:{function}", call, node.lineno)
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, name, function, sql)


def _named(node: ast.AST) -> bool:
    """Whether this is a call of ``durable.something(…)``."""
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "durable"


def _effect(node: ast.Call, sql: int) -> str | None:  # noqa: PLR0911 - a list of cases
    """What the call does for good; None if nothing."""
    called = node.func
    if isinstance(called, ast.Name):
        return "open" if called.id == "open" and _writes(node, 1) else None
    if not isinstance(called, ast.Attribute):
        return None
    owner = called.value.id if isinstance(called.value, ast.Name) else ""
    if called.attr in _OF_MODULES.get(owner, ()) or called.attr in _METHODS:
        return f"{owner}.{called.attr}"
    if called.attr == "open" and (_creates(node) if owner == "os" else _writes(node, 0)):
        return f"{owner}.open"
    if called.attr == "replace" and len(node.args) == 1 and not node.keywords and owner != "dataclasses":
        return f"{owner}.replace"
    if called.attr == "commit" and not node.args:
        return f"{owner}.commit"
    if called.attr in {"execute", "executemany", "executescript", "copy"} and _statement(node, called.value, sql):
        return f"{owner}.{called.attr}"
    return None


def _writes(node: ast.Call, place: int) -> bool:
    modes = [*node.args[place : place + 1], *(k.value for k in node.keywords if k.arg == "mode")]
    return any(isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+") for mode in modes)


def _creates(node: ast.Call) -> bool:
    return any(name in ast.unparse(node) for name in ("O_CREAT", "O_WRONLY", "O_RDWR", "O_TRUNC", "O_APPEND"))


def _statement(node: ast.Call, owner: ast.expr, sql: int) -> bool:
    """Whether it sends a statement that writes; of a destination, each of which it is not plain that it reads only."""
    if not node.args or not sql or ast.unparse(owner) == "self":  # a method of the same class, looked at by itself
        return False
    text = node.args[0]
    if isinstance(text, ast.JoinedStr):
        text = text.values[0]
    if isinstance(text, ast.Constant):
        return bool(_WRITING_SQL.match(str(text.value)))
    return sql > 1 and ast.unparse(owner).endswith(("connection", "transaction", "cursor"))


def sites(file: Path, name: str) -> set[str]:
    """Functions of a module that name an effect: ``module:function``."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and any(
            _named(each) or _publishes(each) for each in ast.walk(node) if isinstance(each, ast.Call)
        ):
            found.add(f"{name}:{node.name}")
    return found


def _publishes(node: ast.Call) -> bool:
    """Whether this is a call of a function of ``store.effects`` that has an effect."""
    called = node.func
    owner = called.value if isinstance(called, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id == "effects" and called.attr != "named_errors"  # type: ignore[union-attr]

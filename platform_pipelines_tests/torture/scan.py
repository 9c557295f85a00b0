"""Finds code that has a durable effect without passing through ``platform_pipelines.durable``."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines_tests.torture.callsites import effect_called

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: functions of modules that change what lasts
_OF_MODULES = {
    "os": _words(
        "replace rename renames link symlink unlink remove rmdir removedirs mkdir makedirs mkfifo mknod fsync fdatasync "
        "truncate ftruncate write pwrite writev pwritev sendfile copy_file_range system popen posix_spawn"
    ),
    "shutil": _words("copy copy2 copyfile copyfileobj copytree move rmtree make_archive unpack_archive"),
    "tempfile": _words("mkdtemp mkstemp NamedTemporaryFile TemporaryDirectory TemporaryFile"),
    "subprocess": _words("run Popen call check_call check_output getoutput getstatusoutput"),
    "sqlite3": frozenset(["connect"]),
}
#: modules whose ``open`` takes the mode behind the file
_OPENING = frozenset(["io", "gzip", "bz2", "lzma", "codecs", "tarfile"])
#: classes and functions that open a file in the mode behind it, for reading if none is given
_FILES = frozenset(
    ["ZipFile", "GzipFile", "BZ2File", "LZMAFile", "TarFile", "FileIO", "OSFile", "memory_map", "Connection"]
)
#: methods, of whatever object, that do
_METHODS = _words(
    "write_text write_bytes touch unlink rmdir mkdir rename symlink_to hardlink_to write_table ParquetWriter write_csv "
    "write_feather write_parquet write_dataset to_parquet to_csv transaction truncate open_output_stream "
    "open_append_stream output_stream copy_file delete_file delete_dir delete_dir_contents create_dir extractall"
)
#: names that would hide from this module what is called
_HIDING = frozenset({*_OF_MODULES, *_OPENING, "durable", "effects", "pathlib", "zipfile"})
_SENDING = frozenset(["execute", "executemany", "executescript", "copy", "sql", "query"])
#: what statements are sent by
_SENDERS = ("connection", "transaction", "cursor", "session", "_root", "engine")
_ASIDE = r"(\s|--[^\n]*\n|/\*.*?\*/)*"
_WRITING_SQL = re.compile(
    _ASIDE
    + r"((insert|update|delete|merge|create(?! (or replace )?temp)|drop|alter|truncate|commit|call|checkpoint|vacuum|"
    r"force checkpoint|attach|detach|grant|revoke|comment on|refresh|reindex|cluster|export|import|install|analyze|"
    r"prepare transaction|explain analyze)\b|copy\b(?!.*\bto stdout)|with\b.*\b(insert into|update|delete from|merge into)\b|"
    r"select\b.*\binto\b)",
    re.IGNORECASE | re.DOTALL,
)
#: what even a database in memory writes to a file
_WRITING_A_FILE = re.compile(
    _ASIDE + r"(copy\b(?!.*\bto stdout)|export\b|install\b|attach\b(?!.*(read_only|':memory:')))",
    re.IGNORECASE | re.DOTALL,
)
_ONLY_READ = frozenset(["os.O_RDONLY", "os.O_DIRECTORY", "os.O_NOFOLLOW", "os.O_CLOEXEC"])


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
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function = node.name
    if isinstance(node, ast.With | ast.AsyncWith) and any(_named(item.context_expr) for item in node.items):
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from (Finding(f"{name}:{function}", call, node.lineno) for call in _hidden(node))
    if isinstance(node, ast.Call):
        if _named(node):
            return
        if (call := _effect(node, sql)) is not None:
            yield Finding(f"{name}:{function}", call, node.lineno)
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, name, function, sql)


def _hidden(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Imports behind which a call could not be told from any other."""
    for each in node.names:
        module = (node.module or "") if isinstance(node, ast.ImportFrom) else each.name
        last = module.rpartition(".")[2]
        if isinstance(node, ast.Import):
            if each.asname not in {None, last} and last in _HIDING:
                yield f"import {each.name} as {each.asname}"
        elif each.asname not in {None, each.name} and each.name in {"durable", "effects", *_FILES}:
            yield f"from {module} import {each.name} as {each.asname}"
        elif module in _OF_MODULES or module in _OPENING:
            if each.name in {*_OF_MODULES.get(module, ()), "open", "*"}:
                yield f"from {module} import {each.name}"
        elif module in {"platform_pipelines.durable", "platform_pipelines.store.effects"}:
            yield f"from {module} import {each.name}"


def _named(node: ast.AST) -> bool:
    """Whether this is a call of ``durable.something(…)``."""
    return (effect_called(node) or "").startswith("durable.")


def _effect(node: ast.Call, sql: int) -> str | None:
    """What the call does for good; None if nothing."""
    called = node.func
    if isinstance(called, ast.Name):
        writing = called.id in {"open", *_FILES} and _writes(node, 1)
        return called.id if writing or called.id in {"NamedTemporaryFile", "Popen"} else None
    if not isinstance(called, ast.Attribute):
        return None
    owner = called.value.id if isinstance(called.value, ast.Name) else ""
    found = _by_name(node, called, owner) or _opens(node, called.attr, owner) or _statement(node, called, sql)
    return f"{owner}.{called.attr}" if found else None


def _by_name(node: ast.Call, called: ast.Attribute, owner: str) -> bool:
    if called.attr in _OF_MODULES.get(owner, ()) or called.attr in _METHODS:
        return True
    if called.attr == "replace":  # of a text has two arguments, of a moment names them
        return len(node.args) == 1 and not node.keywords and owner not in {"dataclasses", "effects"}
    return called.attr == "commit" and not node.args


def _opens(node: ast.Call, attribute: str, owner: str) -> bool:
    if attribute == "open" and owner == "os":
        names = {ast.unparse(each) for flags in node.args[1:2] for each in _alternatives(flags)}
        return not names or not names <= _ONLY_READ
    if attribute == "open":
        return _writes(node, 1 if owner in _OPENING else 0)
    return attribute in _FILES and _writes(node, 1)


def _alternatives(flags: ast.expr) -> list[ast.expr]:
    """``a`` and ``b`` of ``a | b``."""
    return [*_alternatives(flags.left), *_alternatives(flags.right)] if isinstance(flags, ast.BinOp) else [flags]


def _writes(node: ast.Call, place: int) -> bool:
    """Whether the mode says so, or cannot be told from the source."""
    modes = [*node.args[place : place + 1], *(k.value for k in node.keywords if k.arg == "mode")]
    return any(not isinstance(mode, ast.Constant) or set(str(mode.value)) & set("wax+") for mode in modes)


def _statement(node: ast.Call, called: ast.Attribute, sql: int) -> bool:
    """Whether it sends a statement that writes; of a destination, each of which it is not plain that it reads only."""
    owner = ast.unparse(called.value)
    if (
        called.attr not in _SENDING or not node.args or owner == "self"
    ):  # a method of the same class, looked at by itself
        return False
    text = _text(node.args[0])
    if text is not None:
        return bool((_WRITING_SQL if sql else _WRITING_A_FILE).match(text))
    return sql > 1 and owner.endswith(_SENDERS)


def _text(node: ast.expr) -> str | None:
    """How a statement begins, as far as the source says; None if it does not."""
    while not isinstance(node, ast.Constant):
        if isinstance(node, ast.JoinedStr):
            parts = (str(v.value) if isinstance(v, ast.Constant) else "?" for v in node.values)
            return "".join(parts) if isinstance(node.values[0], ast.Constant) else None
        if isinstance(node, ast.BinOp):
            node = node.left
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"encode", "format"}
        ):
            node = node.func.value
        elif isinstance(node, ast.Call) and node.args:
            node = node.args[0]
        else:
            return None
    return node.value.decode() if isinstance(node.value, bytes) else str(node.value)

"""No durable effect is forgotten: all pass through ``durable``, where the crash matrix dies."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

import platform_pipelines
from platform_pipelines_tests.torture.scan import findings

PACKAGE = Path(platform_pipelines.__file__).parent
#: what does not pass through ``durable``, and why a crash there cannot harm
EXCEPTIONS = {
    "durable.py": "the effects themselves",
    "scratch.py": "private folders; a later run removes those of the dead",
    "formats/workspace.py": "files in a private folder",
    "formats/spool.py": "files in a private folder",
    "formats/text_read.py": "files in a private folder",
    "formats/folder_columns.py": "a link in a private folder",
    "formats/own_text.py": "files in a private folder",
    "formats/folder_merge.py": "files in a private folder",
    "http/tokens.py:locked": "a lock file",
    "isolated/syscalls.py": "a file without a name",
    "isolated/wire.py": "a pipe",
    "store/locks.py": "lock files; what is in them is read by people only",
    "store/runs.py": "the lock that a run holds",
    "formats/folder.py": "the lock that a load holds",
    "cli/guard.py": "the null device",
    "cli/interrupt.py": "a message on the terminal",
    "cli/new.py": "files of YAML for a person who is looking on",
    "demo/data.py": "input of the demo; renamed into place whole",
    "orchestration/launcher/nursery.py": "a socket, gone with its process",
    "orchestration/launcher/seat.py": "a folder for sockets",
    "connectors/duckdb_blocks.py:_alone": "a file opened to lock it; what is written to it passes through durable",
    "connectors/postgres_engine.py": "a session that reads",
    "connectors/postgres.py": "a transaction that reads",
}


def modules() -> list[str]:
    return sorted(file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("name", modules())
def test_every_durable_effect_passes_through_durable(name: str) -> None:
    found = [each for each in findings(PACKAGE / name, name) if not {name, each.where} & set(EXCEPTIONS)]
    assert not found, (
        f"{found}: use a function of platform_pipelines.durable, or `with durable.effect(kind, what):`, "
        "so that the crash matrix dies there."
    )


def test_exceptions_are_still_needed() -> None:
    found = {where for name in modules() for each in findings(PACKAGE / name, name) for where in (name, each.where)}
    assert set(EXCEPTIONS) - found == set()


@pytest.mark.parametrize(
    "line",
    [
        "os.replace(a, b)",
        "path.write_text('x')",
        "path.rename(other)",
        "path.replace(other)",
        "path.open('wb')",
        "open(path, 'a')",
        "os.open(path, os.O_RDWR | os.O_CREAT)",
        "shutil.move(a, b)",
        "tempfile.mkdtemp()",
        "pq.write_table(table, path)",
        "connection.commit()",
        "connection.execute('commit')",
        "connection.execute(f'insert into {table} values (1)')",
        "with connection.transaction(): pass",
    ],
)
def test_an_effect_that_is_not_named_is_found(tmp_path: Path, line: str) -> None:
    module = tmp_path / "module.py"
    module.write_text(f"def f():\n    {line}\n")
    assert findings(module, "connectors/module.py")


@pytest.mark.parametrize(
    "text",
    [
        "path.open('rb')",
        "name.replace('a', 'b')",
        "moment.replace(tzinfo=None)",
        "connection.execute('select 1')",
        "durable.rename(a, b)",
        "with durable.effect('write', path):\n    pq.write_table(table, path)",
        "with durable.committing(connection.transaction(), table):\n    pass",
    ],
)
def test_what_is_named_or_has_no_effect_is_not(tmp_path: Path, text: str) -> None:
    module = tmp_path / "module.py"
    module.write_text("def f():\n" + textwrap.indent(text, "    "))
    assert not findings(module, "connectors/module.py")


def test_a_destination_is_trusted_with_no_statement_that_is_not_read(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("connection.execute(sql)")
    assert findings(module, "connectors/some_destination.py")
    assert not findings(module, "connectors/some_source.py")

"""No durable effect is forgotten: all pass through ``durable``, where the crash matrix dies."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.torture.callsites import PACKAGE, modules
from platform_pipelines_tests.torture.scan import findings

if TYPE_CHECKING:
    from pathlib import Path

#: what does not pass through ``durable``, and why a crash there cannot harm
EXCEPTIONS = {
    "durable.py": "the effects themselves",
    "scratch.py": "private folders; a later run removes those of the dead",
    "formats/workspace.py": "files in a private folder",
    "formats/spool.py": "files in a private folder",
    "formats/text_read.py": "files in a private folder",
    "formats/folder_columns.py": "a link in a private folder",
    "formats/own_text.py": "files in a private folder",
    "formats/typed_spool.py": "files in a private folder",
    "formats/folder_merge.py": "files in a private folder",
    "http/tokens.py:locked": "a lock file",
    "isolated/syscalls.py": "a file without a name",
    "isolated/wire.py": "a pipe",
    "isolated/process.py:_start": "a process that may write nothing; it goes with its pipe",
    "store/locks.py": "lock files; what is in them is read by people only",
    "store/runs.py": "the lock that a run holds",
    "formats/folder.py": "the lock that a load holds",
    "cli/guard.py": "the null device",
    "cli/interrupt.py": "a message on the terminal",
    "cli/new.py": "files of YAML for a person who is looking on",
    "demo/data.py": "input of the demo; renamed into place whole",
    "orchestration/launcher/offer.py:start": "a process; what it does is a run's",
    "orchestration/launcher/nursery.py": "a socket, gone with its process",
    "orchestration/launcher/seat.py": "a folder for sockets",
    "connectors/duckdb_blocks.py:_alone": "a file opened to lock it; what is written to it passes through durable",
    "connectors/postgres_copy.py:run": "into a table of the engine, which is in memory",
    "connectors/postgres_engine.py": "a session that reads",
    "connectors/postgres.py": "a transaction that reads",
}


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
        "from os import replace",
        "from shutil import *",
        "from subprocess import run",
        "import os as system",
        "from zipfile import ZipFile as Z",
        "from platform_pipelines.durable import rename",
        "open(path, mode)",
        "path.open(mode)",
        "path.open(mode=mode)",
        "io.open(path, 'w')",
        "gzip.open(path, 'wb')",
        "gzip.open(path, mode)",
        "zipfile.ZipFile(path, 'w')",
        "ZipFile(path, mode='a')",
        "pa.OSFile(path, 'wb')",
        "pa.memory_map(path, 'r+')",
        "fs.open_output_stream(path)",
        "file.truncate()",
        "os.open(path, flags)",
        "os.open(path, os.O_RDONLY | flag)",
        "sqlite3.connect(path)",
        "subprocess.run(command)",
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
        "connection.execute('insert into ' + table)",
        "connection.execute(f'insert into {table}'.encode())",
        "connection.sql('create table t (a int)')",
        "connection.query('drop table t')",
        "session.execute(text('update t set a = 1'))",
        "connection.execute('checkpoint')",
        "connection.execute('vacuum')",
        "connection.execute(f'attach {path}')",
        "connection.execute(f'copy t to {path}')",
        "connection.execute('copy t from stdin')",
        "connection.execute('-- why\\ndelete from t')",
        "connection.execute('with a as (select 1) insert into t from a')",
        "connection.execute('select 1 as a into t')",
        "with connection.transaction(): pass",
    ],
)
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_an_effect_that_is_not_named_is_found(tmp_path: Path, line: str, kind: str) -> None:
    module = tmp_path / "module.py"
    if line.endswith("*"):  # stands in no function
        module.write_text(f"{line}\n")
    else:
        module.write_text(f"{kind} f():\n    {line}\n")
    assert findings(module, "connectors/module.py")


@pytest.mark.parametrize(
    "text",
    [
        "path.open('rb')",
        "name.replace('a', 'b')",
        "moment.replace(tzinfo=None)",
        "connection.execute('select 1')",
        "connection.execute('with a as (select 1) select * from a')",
        "connection.execute('copy t to stdout')",
        "os.open(path, os.O_RDONLY | os.O_DIRECTORY)",
        "zipfile.ZipFile(path)",
        "pa.OSFile(path, 'rb')",
        "gzip.open(path)",
        "from os import path",
        "from zipfile import ZipFile",
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
    for line in ("session.execute(sql)", "self._connection.sql(sql)", "connection.execute(f'{verb} into t')"):
        module.write_text(line)
        assert findings(module, "connectors/some_destination.py"), line


def test_an_asynchronous_block_is_looked_into(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("async def f():\n    async with path.open('w') as file:\n        pass\n")
    assert [each.where for each in findings(module, "connectors/module.py")] == ["connectors/module.py:f"]


def test_a_database_in_memory_may_do_anything_but_write_a_file(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("connection.execute('create table t (a int)')")
    assert not findings(module, "transforms/some.py")
    for line in ("connection.execute(f'copy t to {path}')", "connection.execute(f'attach {path} as other')"):
        module.write_text(line)
        assert findings(module, "transforms/some.py"), line

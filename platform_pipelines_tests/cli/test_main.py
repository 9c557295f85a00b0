from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from platform_pipelines.cli.main import COMMANDS
from platform_pipelines_tests.cli.terminal import on_terminal

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

HEAVY = ("pandas", "pandera", "duckdb", "pyarrow", "numpy", "dagster", "sqlalchemy", "psycopg")


def test_help_names_every_command(folder: Folder) -> None:
    answer = folder.type("--help")
    assert answer.code == 0
    assert all(f"  {name} " in answer.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(folder: Folder, name: str) -> None:
    answer = folder.type(name, "--help")
    assert answer.code == 0
    assert f"Usage: pipelines {name}" in answer.out


def test_no_command_shows_the_help(folder: Folder) -> None:
    answer = folder.type()
    assert (answer.code, answer.err.count("Usage: pipelines")) == (2, 1)
    assert "dead-letters" in answer.err


@pytest.mark.parametrize(("typed", "meant"), [("lst", "list"), ("dead-leters", "dead-letters"), ("chekc", "check")])
def test_misspelt_command_names_the_nearest(folder: Folder, typed: str, meant: str) -> None:
    answer = folder.type(typed)
    assert answer.code == 2
    assert f"Unknown command `{typed}`." in answer.err
    assert answer.err.rstrip().endswith(f"Did you mean `{meant}`?")


def test_misspelt_option_names_the_nearest(folder: Folder) -> None:
    answer = folder.type("run", "orders", "--full-refesh")
    assert answer.code == 2
    assert "--full-refresh" in answer.err


@pytest.mark.parametrize("command", [("--help",), ("list",), ("list", "--json"), ("run", "--help")])
def test_light_commands_import_nothing_heavy(orders: Folder, command: tuple[str, ...]) -> None:
    script = (
        "import sys; from platform_pipelines.cli.main import execute; "
        f"code = execute({command!r}); "
        f"print(code, [m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=orders.environment(), capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "0 []"


def test_help_and_json_do_without_rich(orders: Folder) -> None:
    script = (
        "import sys; from platform_pipelines.cli.main import execute; "
        "execute(['--help']); execute(['list', '--json']); print('rich' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=orders.environment(), capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "False"


@pytest.mark.parametrize("command", [("list",), ("--help",), ("schema",), ("list", "--json")])
def test_pipe_closed_early_ends_quietly(orders: Folder, command: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = orders.start(*command, stdout=writer)
    os.close(writer)
    _, err = process.communicate()
    assert (process.returncode, err) == (141, b"")


def test_full_disk_is_said_in_one_line(orders: Folder) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        process = orders.start("list", stdout=full)
        _, err = process.communicate()
    assert process.returncode != 0
    assert b"No space left on device" in err
    assert b"Traceback" not in err


_ENDING = """
import atexit, contextlib, io, sys
from platform_pipelines.cli.guard import leave

class Loud:
    def __del__(self):
        sys.__stdout__.write("destroyed ")

loud = Loud()
atexit.register(lambda: print("registered", end=" "))
with contextlib.redirect_stdout(io.StringIO()):
    try:
        leave(2)
    except SystemExit as ended:
        sys.__stdout__.write(f"went on after {ended.code} ")
print("said", end=" ")
leave(3)
"""


def test_a_command_ends_with_what_is_registered_and_destroys_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", _ENDING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "went on after 2 said registered ", "")


def test_stdout_closed_before_the_start_does_no_harm(orders: Folder) -> None:
    command = f"{sys.executable} -m platform_pipelines list >&-"
    done = subprocess.run(
        ["bash", "-c", command], env=orders.environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_unexpected_errors_are_one_line_and_say_how_to_see_more(
    orders: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        message = "boom"
        raise ZeroDivisionError(message)

    monkeypatch.setattr("platform_pipelines.engine.landing.decide", explode)
    answer = orders.type("run", "orders")
    assert answer.code == 1
    assert "Feed orders ended with an error that was not foreseen: ZeroDivisionError: boom." in answer.err
    assert "PIPELINES_DEBUG=1" in answer.err
    assert "Traceback" not in answer.err
    monkeypatch.setenv("PIPELINES_DEBUG", "1")
    assert "Traceback (most recent call last)" in orders.type("run", "orders").err


def test_a_setting_that_is_no_number_is_named(orders: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_LOCK_WAIT", "soon")
    answer = orders.type("run", "orders")
    assert answer.code == 2
    assert "PIPELINES_LOCK_WAIT='soon' is not a number of seconds" in answer.err


def test_characters_the_terminal_cannot_write_become_escapes(orders: Folder) -> None:
    orders.write("in/orders.csv", "id,amount,at\nÅse,1,2026-01-01 00:00:00\n")
    process = subprocess.run(
        [sys.executable, "-m", "platform_pipelines", "preview", "orders"],
        env=orders.environment() | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert process.returncode == 0
    assert rb"\xc5se" in process.stdout


def test_a_terminal_gets_tables_with_lines_and_a_progress_bar(orders: Folder) -> None:
    _, written = on_terminal(orders, "run", "orders")
    assert "\x1b[" in written
    assert "Reading orders" in written
    assert "─" in written


def test_no_color_gives_plain_text_even_on_a_terminal(orders: Folder) -> None:
    _, written = on_terminal(orders, "run", "orders", NO_COLOR="1")
    assert "\x1b" not in written
    assert "orders: success" in written


def test_elsewhere_there_is_no_escape_sequence(orders: Folder) -> None:
    answer = orders.type("run", "orders")
    assert "\x1b" not in answer.out + answer.err

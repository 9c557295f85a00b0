"""A page of documentation as a script: files to write, commands to run, output to expect.

    ```yaml title="defs/orders.yaml"      a file of that name
    ```console                            lines after `$ ` are run; the rest is their output, `...` stands for anything

Other blocks are only read.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r'title="([^"]+)"')
_LENIENT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file it stands for, its text, its line in the page."""

    language: str
    title: str | None
    body: str
    line: int


def pages() -> list[Path]:
    """All pages of the project's documentation."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    for match in _BLOCK.finditer(text):
        title = _TITLE.search(match["info"])
        language = (match["info"].split() or [""])[0]
        yield Block(language, title[1] if title else None, match["body"], text.count("\n", 0, match.start()) + 1)


def play(page: Path, folder: Path) -> int:
    """Do what the page says, in ``folder``; the number of commands run.

    Raises:
        AssertionError: a command failed, or printed something else.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINES_", "DAGSTER_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment["COLUMNS"] = "200"
    done = 0
    for block in blocks(page):
        if block.title:
            target = folder / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.body)
        elif block.language == "console":
            for command, expected in _commands(block.body):
                where = f"{page.relative_to(ROOT)}:{block.line}: $ {command}"
                _run(command, expected, folder, environment, where)
                done += 1
    return done


def _commands(body: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        last = next(i for i, line in enumerate(lines) if not line.rstrip().endswith("\\"))
        yield "".join(lines[: last + 1]).strip(), "".join(lines[last + 1 :])


def _run(command: str, expected: str, folder: Path, environment: dict[str, str], where: str) -> None:
    if command.startswith("export "):
        name, _, value = shlex.split(command)[1].partition("=")
        environment[name] = value
        return
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{where}\nexit code {done.returncode}\n{done.stdout}"
    if expected.strip():
        same = doctest.OutputChecker().check_output(expected, done.stdout, _LENIENT)
        assert same, f"{where}\nexpected:\n{expected}\ngot:\n{done.stdout}"

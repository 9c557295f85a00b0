"""A terminal with a person at it, for commands that look different there."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder


def on_terminal(folder: Folder, *words: str, answer: str = "", **environment: str) -> tuple[int, str]:
    """Type a command and an answer to its question.

    Returns:
        The exit code, and all that the terminal showed, what was typed included.
    """
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "platform_pipelines", *words],
        cwd=folder.root,
        env=folder.environment() | {"TERM": "xterm-256color", "COLUMNS": "150"} | environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    os.write(controller, answer.encode())
    shown = b""
    try:
        while chunk := os.read(controller, 65_536):
            shown += chunk
    except OSError:  # nobody holds the terminal's other side any more: the program has ended
        pass
    os.close(controller)
    return process.wait(), shown.decode()

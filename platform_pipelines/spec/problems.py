"""Collects what is wrong, each with its line, so that a user sees all of it at once."""

from __future__ import annotations

from typing import Any

from platform_pipelines.errors import SpecError, SpecErrors
from platform_pipelines.spec.tree import line_at


class Problems:
    """The errors found in one file.

    Args:
        file: the file, as shown to people; None for a mapping built in Python.
        tree: its values; lines are looked up here.
    """

    def __init__(self, file: str | None, tree: Any = None) -> None:  # noqa: ANN401 - any YAML value
        self.file = file
        self.tree = tree
        self.errors: list[SpecError] = []

    def add(self, message: str, *path: int | str) -> None:
        """Record ``message`` about the value at ``path``."""
        self.errors.append(SpecError(message, file=self.file, line=line_at(self.tree, path)))

    def caught(self, error: SpecError, *path: int | str) -> None:
        """Record an error raised elsewhere, placed at ``path``, and its own from there, if it names no file."""
        self.errors.append(error) if error.file else self.add(error.message, *path, *error.path)


def raise_all(errors: list[SpecError]) -> None:
    """Raise what was found, in the order of files and lines; nothing if there is nothing.

    Raises:
        SpecErrors: ``errors`` is not empty.
    """
    unique = {str(error): error for error in errors}.values()
    if unique:
        raise SpecErrors(sorted(unique, key=lambda error: (error.file or "", error.line or 0)))

"""Plain values that remember on which line of which file they were written."""

from __future__ import annotations

from typing import Any


class Mapping(dict[str, Any]):
    """A mapping that knows the line of each key.

    Attributes:
        lines: line of each key, counted from 1.
        line: line on which the mapping begins.
    """

    __slots__ = ("line", "lines")

    def __init__(self, *, line: int | None = None) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int | None] = {}

    def put(self, key: str, value: Any, line: int | None) -> None:  # noqa: ANN401 - any YAML value
        """Set a key together with its line."""
        self[key] = value
        self.lines[key] = line

    def copied(self) -> Mapping:
        """A copy of this level, lines included: what aliases share must not be changed in place."""
        copy = Mapping(line=self.line)
        copy.update(self)
        copy.lines.update(self.lines)
        return copy


class Sequence(list[Any]):
    """A list that knows the line of each item.

    Attributes:
        lines: line of each item, counted from 1.
    """

    __slots__ = ("lines",)

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int | None] = []

    def put(self, value: Any, line: int | None) -> None:  # noqa: ANN401 - any YAML value
        """Append an item together with its line."""
        self.append(value)
        self.lines.append(line)


def line_at(tree: Any, path: tuple[int | str, ...]) -> int | None:  # noqa: ANN401 - any YAML value
    """The line of the deepest value on ``path``; parts of it that the tree does not have are skipped."""
    line = tree.line if isinstance(tree, Mapping) else None
    for part in path:
        if isinstance(tree, Mapping) and part in tree:
            line, tree = tree.lines.get(str(part)) or line, tree[str(part)]
        elif isinstance(tree, Sequence) and isinstance(part, int) and part < len(tree):
            line, tree = tree.lines[part] or line, tree[part]
    return line


def lines_of(tree: Any, path: tuple[int | str, ...] = ()) -> dict[tuple[int | str, ...], int]:  # noqa: ANN401 - any YAML value
    """The lines of all keys and items in ``tree``, by their path."""
    found: dict[tuple[int | str, ...], int] = {}
    pairs = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, Sequence) else ()
    for part, value in pairs:
        line = line_at(tree, (part,))
        if line is not None:
            found[*path, part] = line
        found |= lines_of(value, (*path, part))
    return found


def plain(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """``value`` as plain dicts and lists, without lines."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def located(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """``value`` as mappings and lists that could carry lines, for values that come from Python."""
    if isinstance(value, dict):
        mapping = Mapping()
        for key, each in value.items():
            mapping.put(str(key), located(each), None)
        return mapping
    if isinstance(value, list | tuple):
        sequence = Sequence()
        for each in value:
            sequence.put(located(each), None)
        return sequence
    return value

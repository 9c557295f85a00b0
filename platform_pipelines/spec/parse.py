"""YAML text to values that remember their lines.

YAML 1.2's core schema, so that ``on``, ``off``, ``yes``, ``NO`` and dates stay
text, and stricter where YAML surprises: duplicate keys, custom tags and alias
bombs are refused. What the keys mean is left to the models.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from platform_pipelines.errors import SpecError
from platform_pipelines.spec.nearest import show
from platform_pipelines.spec.tree import Mapping, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_BYTES = 4_000_000
_MAX_VALUES = 200_000
_MAX_DEPTH = 60
_SAFE_DEPTH = 500
_TAG = "tag:yaml.org,2002:"
_MAP, _SEQ, _STR = _TAG + "map", _TAG + "seq", _TAG + "str"

try:
    from yaml import CBaseLoader as _BaseLoader
except ImportError:  # PyYAML built without libyaml: slower, the same nodes
    from yaml import BaseLoader as _BaseLoader  # type: ignore[assignment]


class _Composer(_BaseLoader):
    """Composes nodes; plain scalars get the tags of the core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML declares it

    def resolve(self, kind: type[Node], value: str | None, implicit: Any) -> str:  # noqa: ANN401 - a bool for mappings and lists
        """The tag of a node that has none: what PyYAML's own does, without what is not used here.

        It is called for every value of every file, and was a fifth of the time of reading them.
        """
        if kind is not ScalarNode:
            return _MAP if kind is MappingNode else _SEQ
        if value is not None and isinstance(implicit, tuple) and implicit[0]:
            for tag, pattern in self.yaml_implicit_resolvers.get(value[:1], ()):
                if pattern.match(value):
                    return tag
        return _STR


def _implicit(kind: str, pattern: str, first: str) -> None:
    for character in first:
        _Composer.yaml_implicit_resolvers.setdefault(character, []).append((_TAG + kind, re.compile(pattern)))


# leading zeros (0123, 007) stay text on purpose: they are codes more often than numbers
_implicit("null", r"(?:~|null|Null|NULL)?$", "~nN")
_Composer.yaml_implicit_resolvers[""] = [(_TAG + "null", re.compile("$"))]
_implicit("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_implicit("int", r"(?:[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789")
_implicit("float", r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789")
_implicit("float", r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", "-+.")
_implicit("merge", r"<<$", "<")


def _float(text: str) -> float:
    value = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if math.isinf(value) and "inf" not in text.lower():
        raise OverflowError(text)
    return value


def _int(text: str) -> int:
    value = int(text, 0)
    str(value)  # raises for as many digits as Python would refuse to show, which hexadecimals may have
    return value


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": _int,
    "float": _float,
}


def parse(data: bytes, file: str) -> Any:  # noqa: ANN401 - any YAML value
    """The one document in ``data``; None if it holds nothing.

    Raises:
        SpecError: not UTF-8, not YAML, several documents, or one of the refusals above.
    """
    if len(data) > _MAX_BYTES:
        msg = f"The file has {len(data)} bytes. Allowed: {_MAX_BYTES}. Is this a data file in the wrong folder?"
        raise SpecError(msg, file=file)
    node = _compose(_decode(data, file), file)
    return None if node is None else _Builder(file).build(node)


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"Byte 0x{data[error.start]:02x} is not UTF-8. Save the file with UTF-8 encoding."
        raise SpecError(msg, file=file, line=line) from error


def _compose(text: str, file: str) -> Node | None:
    loader = _Composer(text)
    try:
        # every collection is opened by one of these; only texts with many can be nested deeply
        if sum(map(text.count, "[{-?:")) > _SAFE_DEPTH:
            _check_depth(text, file)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SpecError(_syntax(error, text, mark), file=file, line=mark.line + 1 if mark else None) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else None
        msg = f'A control character is not allowed in YAML: {error.reason}. Remove it or write it as an escape in "…".'
        raise SpecError(msg, file=file, line=line) from error
    finally:
        loader.dispose()


def _check_depth(text: str, file: str) -> None:
    """Refuse nesting on which the composer, recursive C, would overflow the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Composer):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            msg = f"The values are nested too deeply. Allowed: {_MAX_DEPTH} levels."
            raise SpecError(msg, file=file, line=_line(event))


def _syntax(error: yaml.MarkedYAMLError, text: str, mark: yaml.Mark | None) -> str:
    problem = error.problem or "unreadable"
    if "expected a single document" in (error.context or ""):
        return "The file holds several documents (`---`). Write each into a file of its own."
    line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or "cannot start any token" in problem:
        hint = "Indent with spaces, not tabs." if "\t" in line else "Quote values that begin with a special character."
    elif "mapping values are not allowed" in problem:
        hint = 'Quote a text that holds ": ", or check the indentation.'
    else:
        hint = "Check the indentation, quotes and brackets of this line and the one above."
    return f"Not valid YAML: {problem}. {hint}"


class _Built(NamedTuple):
    """A value, how many values it holds with aliases expanded, and how many levels."""

    value: Any
    size: int
    height: int


class _Builder:
    """Nodes to values; each anchored node is built once and shared by its aliases."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.done: dict[int, _Built] = {}
        self.open: set[int] = set()

    def build(self, node: Node) -> Any:  # noqa: ANN401 - any YAML value
        return self._value(node).value

    def _value(self, node: Node) -> _Built:
        if isinstance(node, ScalarNode):
            return _Built(self._scalar(node), 1, 0)
        known = self.done.get(id(node))
        if known is not None:
            return known
        if id(node) in self.open:
            self._refuse(node, "An anchor contains an alias to itself. Remove the alias.")
        self.open.add(id(node))
        built = self._mapping(node) if isinstance(node, MappingNode) else self._sequence(node)
        self.open.discard(id(node))
        if built.height > _MAX_DEPTH:
            self._refuse(node, f"The values are nested too deeply. Allowed: {_MAX_DEPTH} levels.")
        self.done[id(node)] = built
        return built

    def _scalar(self, node: ScalarNode) -> Any:  # noqa: ANN401 - any YAML value
        tag = node.tag.removeprefix(_TAG)
        if tag == "merge":  # `<<` used as a value is only text
            return node.value
        if tag not in _SCALARS or tag == node.tag:
            self._refuse(node, f"Tag {node.tag!r} is not allowed: values are texts, numbers, true, false and null.")
        try:
            return _SCALARS[tag](node.value)
        except (ValueError, OverflowError):
            return self._refuse(node, f"{show(node.value)} is not a value of type {tag}. Quote it, or write another.")

    def _sequence(self, node: Node) -> _Built:
        self._expect(node, "seq")
        built, size, height = Sequence(), 1, 0
        for child in node.value:
            value, count, below = self._value(child)
            built.put(value, _line(child))
            size, height = self._within(size + count, node), max(height, below)
        return _Built(built, size, height + 1)

    def _mapping(self, node: MappingNode) -> _Built:
        self._expect(node, "map")
        built, size, height, merged = Mapping(line=_line(node)), 1, 0, []
        for key_node, child in node.value:
            value, count, below = self._value(child)
            size, height = self._within(size + count, key_node), max(height, below)
            if key_node.tag == _TAG + "merge":
                merged += self._merged(child, value)
                continue
            key = self._key(key_node)
            if key in built:
                self._refuse(key_node, f"Key `{key}` is written twice, first in line {built.lines[key]}. Remove one.")
            built.put(key, value, _line(key_node))
        for other in merged:  # the first mapping that has a key wins, and own keys win over all
            for key in other.keys() - built.keys():
                built.put(key, other[key], other.lines[key])
        return _Built(built, size, height + 1)

    def _within(self, size: int, node: Node) -> int:
        """Looked at with every value, so that a refused file has cost no more than an allowed one."""
        if size > _MAX_VALUES:
            self._refuse(node, f"Aliases expand to more than {_MAX_VALUES} values. Write fewer aliases of aliases.")
        return size

    def _merged(self, node: Node, value: Any) -> list[Mapping]:  # noqa: ANN401 - any YAML value
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(each, Mapping) for each in found):
            self._refuse(node, "`<<` merges a mapping or a list of mappings. Write `<<: *anchor`.")
        return list(found)

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            self._refuse(node, "A key must be a text, not a list or a mapping. Quote a key that begins with [ or {.")
        if node.tag.removeprefix(_TAG) not in {*_SCALARS, "merge"}:
            self._refuse(node, f"Tag {node.tag!r} is not allowed on a key: keys are texts.")
        return str(node.value)  # keys are what is written: `on`, `1` and `null` are texts

    def _expect(self, node: Node, kind: str) -> None:
        if node.tag not in {_TAG + kind, "!"} and node.tag is not None:
            self._refuse(node, f"Tag {node.tag!r} is not allowed: values are texts, numbers, true, false and null.")

    def _refuse(self, node: Node, message: str) -> Any:  # noqa: ANN401 - never returns
        raise SpecError(message, file=self.file, line=_line(node))


def _line(node: Node | yaml.Event) -> int:
    return int(node.start_mark.line) + 1  # type: ignore[union-attr] # libyaml always marks

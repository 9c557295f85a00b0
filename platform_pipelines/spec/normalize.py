"""From the tree a user wrote to the tree the models read: short form, inline connectors, derived names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import SpecError
from platform_pipelines.spec.connector import ConnectorSpec
from platform_pipelines.spec.nearest import allowed, show
from platform_pipelines.spec.shortform import ShortForm
from platform_pipelines.spec.transform import KINDS, SETTINGS
from platform_pipelines.spec.tree import Mapping, Sequence, lines_of, plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping as AnyMapping

    from platform_pipelines.spec.problems import Problems


class Normalizer:
    """Rewrites one pipeline's tree; inline connectors are collected in :attr:`inline`.

    Args:
        saved: the connectors of ``connectors.yaml``.
        takes_auth: whether a connector type keeps credentials under ``auth``.
        problems: where to report; its tree is replaced by the normalized one.
    """

    def __init__(
        self, saved: AnyMapping[str, ConnectorSpec], takes_auth: Callable[[str], bool], problems: Problems
    ) -> None:
        self.problems = problems
        self.short = ShortForm(saved, takes_auth, problems)
        self.inline: dict[str, ConnectorSpec] = {}
        self.name = ""

    def normalize(self, tree: Mapping) -> Mapping:
        """The canonical tree of ``tree``, which is left as it is."""
        out = self.short.expand(tree)
        self.problems.tree = out
        self.name = out["name"] if isinstance(out.get("name"), str) else "pipeline"
        self._replace(out, "source", lambda each: self._connector(each, "source", ("source", "connector")))
        self._each(out, "destinations", self._destination)
        self._each(out, "transforms", self._transform)
        self._replace(out, "quality", self._quality)
        return out

    def _replace(self, parent: Mapping, key: str, change: Callable[[Mapping], Mapping]) -> None:
        if isinstance(parent.get(key), Mapping):
            parent.put(key, change(parent[key].copied()), parent.lines[key])

    def _each(self, parent: Mapping, key: str, change: Callable[[Mapping, int], Mapping]) -> None:
        items = parent.get(key)
        if not isinstance(items, Sequence):
            return
        changed = Sequence()
        for index, (item, line) in enumerate(zip(items, items.lines, strict=True)):
            changed.put(change(item.copied(), index) if isinstance(item, Mapping) else item, line)
        parent.put(key, changed, parent.lines[key])

    def _connector(self, holder: Mapping, place: str, path: tuple[int | str, ...]) -> Mapping:
        """Replace an inline connector by its derived name."""
        written = holder.get("connector")
        if not isinstance(written, Mapping):
            return holder
        line = written.line or holder.lines["connector"]
        if not isinstance(written.get("type"), str):
            self.problems.add("An inline connector needs `type`. Write `connector: {type: files, …}`.", *path)
        name = f"{self.name}.{place}"
        if name in self.inline:  # two of the same name are reported, but must not be mixed up before
            name = f"{name}.{len(self.inline)}"
        config: dict[str, Any] = plain(written)
        type_name = config["type"] if isinstance(config.get("type"), str) else ""
        self.inline[name] = ConnectorSpec(name, type_name, config, self.problems.file, line, lines_of(written))
        holder.put("connector", name, holder.lines["connector"])
        return holder

    def _destination(self, item: Mapping, index: int) -> Mapping:
        written = item.get("connector")
        line = item.lines.get("connector", item.line)
        if item.get("name") is None:
            default = written.get("type") if isinstance(written, Mapping) else written
            if default is not None:
                item.put("name", default, line)
        if item.get("table") is None:
            item.put("table", self.name, item.line)
        place = f"destinations.{item.get('name', index)}"
        return self._connector(item, place, ("destinations", index, "connector"))

    def _transform(self, item: Mapping, index: int) -> Mapping:
        kinds = [kind for kind in KINDS if kind in item]
        unknown = [key for key in item if key not in {*KINDS, *SETTINGS}]
        for key in unknown:
            msg = f"Unknown key `{key}` in `transforms[{index}]`. {allowed(key, [*KINDS, *SETTINGS])}"
            self.problems.add(msg, "transforms", index, key)
        if len(kinds) != 1:
            found = f"has {' and '.join(kinds)}" if kinds else "does nothing"
            if kinds or not unknown:
                msg = f"`transforms[{index}]` {found}. Write exactly one of {', '.join(KINDS)} in each."
                self.problems.add(msg, "transforms", index)
        kind = kinds[0] if kinds else "filter"
        out = Mapping(line=item.line)
        line = item.lines.get(kind, item.line)
        out.put("kind", kind, line)
        # a transform that does nothing has been reported; its place is taken by one that is valid
        out.put("body", self._body(kind, item.get(kind), index) if kinds else "true", line)
        out.put("label", item.get("label") or f"{kind} {index + 1}", item.lines.get("label", line))
        for key in SETTINGS.keys() - {"label"}:
            if item.get(key) is not None:
                out.put(key, item[key], item.lines[key])
        out.put("line", item.line, line)
        return out

    def _body(self, kind: str, body: Any, index: int) -> Any:  # noqa: ANN401 - any YAML value
        if kind != "join" or not isinstance(body, Mapping):
            return body
        body = body.copied()
        path = ("transforms", index, "body", "with", "connector")
        self._replace(body, "with", lambda each: self._connector(each, f"transforms.{index + 1}", path))
        return body

    def _quality(self, quality: Mapping) -> Mapping:
        self._each(quality, "rules", self._rule)
        return quality

    def _rule(self, rule: Mapping, index: int) -> Mapping:
        path = ("quality", "rules", index, "reference", "connector")
        place = f"rules.{rule.get('id') or index + 1}"
        self._replace(rule, "reference", lambda each: self._connector(each, place, path))
        return rule


def as_mapping(tree: Any, what: str, problems: Problems) -> Mapping | None:  # noqa: ANN401 - any YAML value
    """``tree`` if it is a mapping; else None, and the problem is reported."""
    if isinstance(tree, Mapping):
        return tree
    if tree is None:
        message = f"The file is empty. Write {what} into it, or remove it."
    else:
        kind = "a list" if isinstance(tree, list) else show(tree)
        message = f"The file holds {kind} at the top, not a mapping. Write {what}."
    problems.errors.append(SpecError(message, file=problems.file, line=1))
    return None

"""``join``: adds columns of another table, looked up by equal values.

NULL semantics: NULL equals nothing, so a row with a NULL key finds no match: it
is kept with NULLs (``how: left``) or dropped (``inner``). A row with several
matches becomes several rows; the outcome shows it as more rows out than in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.relations import columns, comparable, require_columns, stage
from platform_pipelines.transforms.step import Built, Step, mapping, names

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("with", "on", "how", "select", "prefix")
_HOW = ("left", "inner")


@dataclass(frozen=True, slots=True)
class Join:
    """The body, read.

    Attributes:
        connector: where the other table lives.
        table: its name there.
        on: ``{column of ours: column of theirs}``.
        how: left or inner.
        select: columns to add; empty for all but the keys.
        prefix: put before the names of the added columns.
    """

    connector: str
    table: str
    on: Mapping[str, str]
    how: str
    select: tuple[str, ...]
    prefix: str


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    parse(body)


def parse(body: Any) -> Join:  # noqa: ANN401 - any YAML value
    """Read the body.

    Raises:
        SpecError: a key is missing, unknown or of the wrong type.
    """
    known = mapping(body, "`join`", _KEYS)
    other = mapping(known.get("with"), "`join.with`", ("connector", "table"))
    on = mapping(known.get("on"), "`join.on`")
    how = known.get("how", "left")
    prefix = known.get("prefix") or ""
    if how not in _HOW:
        msg = f"Unknown `how: {how}` of a join. Allowed: {', '.join(_HOW)}."
        raise SpecError(msg)
    texts = [other.get("connector"), other.get("table"), *on.values()]
    if not isinstance(prefix, str) or not all(isinstance(value, str) and value for value in texts):
        msg = "A join needs `with: {connector: NAME, table: NAME}` and `on: {our column: their column}`, all texts."
        raise SpecError(msg)
    select = names(known.get("select") or [], "`join.select`")
    return Join(other["connector"], other["table"], on, how, select, prefix)


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    join = parse(step.body)
    require_columns(join.on, step.columns, "`join.on`")
    wanted = (*dict.fromkeys((*join.on.values(), *join.select)),) if join.select else ()
    other = stage(step.connection, "join", step.lookup(join.connector, join.table, wanted))
    theirs = columns(step.connection, other)
    require_columns([*join.on.values(), *join.select], theirs, f"`join` with {join.connector} `{join.table}`")
    added = join.select or tuple(name for name in theirs if name not in join.on.values())
    outputs = {name: join.prefix + name for name in added}
    _refuse_clash(outputs, step.columns)
    conditions = [_equal(left, right, step.columns, theirs) for left, right in join.on.items()]
    picked = ["l.*", *(f"r.{quote(name)} as {quote(out)}" for name, out in outputs.items())]
    relation = step.view(
        f"select {', '.join(picked)} from {quote(step.source)} as l "
        f"{join.how} join {quote(other)} as r on {' and '.join(conditions)}"
    )
    return Built(relation, {name: name for name in step.columns}, step.cursor)


def _equal(left: str, right: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    return " = ".join(comparable(f"l.{quote(left)}", ours[left], f"r.{quote(right)}", theirs[right]))


def _refuse_clash(outputs: Mapping[str, str], ours: Mapping[str, str]) -> None:
    taken = {name.lower() for name in ours}
    for name, out in outputs.items():
        if out.lower() in taken:
            msg = (
                f"`join` would add the column `{out}`, which is already there. "
                f"Set `prefix`, or leave out `{name}` by `select`."
            )
            raise InvalidData(msg)

"""``join``: adds columns of another table, stream or file, looked up by equal values.

NULL semantics: NULL equals nothing, so a row with a NULL key finds no match: it
is kept with NULLs (``how: left``) or dropped (``inner``). A row with several
matches becomes several rows, in the order of the other table; ``duplicates: fail``
refuses that. The outcome counts rows without a match and rows with several.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.relations import columns, comparable, require_columns, stage
from platform_pipelines.spec.nearest import allowed as listed
from platform_pipelines.transforms.step import Built, Step, mapping, names, within

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("with", "on", "how", "select", "prefix", "duplicates")
_WITH = ("connector", "table", "stream", "options")
_HOW = ("left", "inner")
_DUPLICATES = ("all", "fail")
_OURS, _THEIRS = "_pipelines_ours", "_pipelines_theirs"


@dataclass(frozen=True, slots=True)
class Join:
    """The body, read.

    Attributes:
        connector: where the other table lives.
        table: its name there, as that connector names its streams.
        on: ``{column of ours: column of theirs}``.
        how: left or inner.
        select: columns to add; empty for all but the keys.
        prefix: put before the names of the added columns.
        duplicates: what a row with several matches is: all of them, or a failure.
        options: what only the other connector understands, as in ``source.options``.
    """

    connector: str
    table: str
    on: Mapping[str, str]
    how: str
    select: tuple[str, ...]
    prefix: str
    duplicates: str = "all"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Matches:
    """Rows of ours by their matches; ``null`` of those without one have a NULL key."""

    without: int
    null: int
    several: int

    def __str__(self) -> str:
        """One sentence; empty where each row has one match."""
        parts = []
        if self.without:
            parts.append(f"{self.without} rows without a match ({self.null} with a NULL key)")
        if self.several:
            parts.append(f"{self.several} rows with several matches")
        return ", ".join(parts)


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    parse(body)


def parse(body: Any) -> Join:  # noqa: ANN401 - any YAML value
    """Read the body.

    Raises:
        SpecError: a key is missing, unknown or of the wrong type.
    """
    known = mapping(body, "`join`", _KEYS)
    with within("with"):
        other = mapping(known.get("with"), "`join.with`", _WITH)
    with within("on"):
        on = mapping(known.get("on"), "`join.on`")
    how, duplicates = known.get("how", "left"), known.get("duplicates", "all")
    for key, value, allowed in (("how", how, _HOW), ("duplicates", duplicates, _DUPLICATES)):
        if value not in allowed:
            msg = f"Unknown `{key}: {value}` of a join. {listed(value, allowed)}"
            raise SpecError(msg, path=(key,))
    prefix, options = known.get("prefix") or "", other.get("options") or {}
    tables = [other[key] for key in ("table", "stream") if other.get(key) is not None]
    texts = [other.get("connector"), *tables, *on.values()]
    if len(tables) != 1 or not isinstance(prefix, str) or not all(isinstance(each, str) and each for each in texts):
        msg = (
            "A join needs `with: {connector: NAME, table: NAME}` (or `stream:`, but not both) and "
            "`on: {our column: their column}`, all texts."
        )
        raise SpecError(msg)
    if not isinstance(options, dict):
        msg = f"`join.with.options` must be a mapping, not {options!r}."
        raise SpecError(msg)
    select = names(known.get("select") or [], "`join.select`")
    return Join(other["connector"], tables[0], on, how, select, prefix, duplicates, options)


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    join = parse(step.body)
    require_columns(join.on, step.columns, "`join.on`")
    wanted = (*dict.fromkeys((*join.on.values(), *join.select)),) if join.select else ()
    other = stage(step.connection, "join", step.lookup(join.connector, join.table, wanted, join.options))
    theirs = columns(step.connection, other)
    require_columns([*join.on.values(), *join.select], theirs, f"`join` with {join.connector} `{join.table}`")
    added = join.select or tuple(name for name in theirs if name not in join.on.values())
    outputs = {name: join.prefix + name for name in added}
    _refuse_clash(outputs, step.columns)
    joined = _joined(step, join, other, outputs, theirs)
    matches = _matches(step, join, joined)
    if matches.several and join.duplicates == "fail":
        key = ", ".join(join.on.values())
        msg = (
            f"{matches.several} rows have several matches in {join.connector} `{join.table}`: {key} is no key there, "
            "and `duplicates: fail` refuses that. Join by more columns, or write `duplicates: all`."
        )
        raise InvalidData(msg)
    inner = join.how == "inner"
    kept = f" where {_THEIRS} is not null" if inner else ""
    relation = step.view(f"select * exclude ({_OURS}, {_THEIRS}) from {quote(joined)}{kept}")
    origins = {name: name for name in step.columns}
    return Built(relation, origins, step.cursor, dropped=matches.without if inner else 0, note=str(matches))


def _joined(step: Step, join: Join, other: str, outputs: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """All rows of ours with their matches, in our order, then in theirs: a later row may replace an earlier one."""
    conditions = [_equal(left, right, step.columns, theirs) for left, right in join.on.items()]
    picked = [*(f"l.{quote(name)}" for name in step.columns)]
    picked += [f"r.{quote(name)} as {quote(out)}" for name, out in outputs.items()]
    return step.table(
        f"select {', '.join(picked)}, l.{_OURS}, r.{_THEIRS} "
        f"from (select *, row_number() over () as {_OURS} from {quote(step.source)}) as l "
        f"left join (select *, row_number() over () as {_THEIRS} from {quote(other)}) as r "
        f"on {' and '.join(conditions)} order by l.{_OURS}, r.{_THEIRS}"
    )


def _matches(step: Step, join: Join, joined: str) -> Matches:
    null = " or ".join(f"{quote(name)} is null" for name in join.on)
    row = step.connection.execute(
        "select count(*) filter (not matched), count(*) filter (not matched and missing), count(*) filter (n > 1) "
        f"from (select count(*) as n, bool_or({_THEIRS} is not null) as matched, bool_or({null}) as missing "
        f"from {quote(joined)} group by {_OURS})"
    ).fetchone()
    return Matches(*(int(count) for count in row or (0, 0, 0)))


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

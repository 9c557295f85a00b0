"""``map``: the columns that go on, each from a column or path, converted, with a default.

The output has exactly the mapped columns, and with ``unmapped: keep`` the columns
besides from which none is taken whole; the cursor is kept in any case, as
``_pipelines_cursor`` where no column of its own name passes it on unchanged. Names
with dots become fields of a struct, which is NULL where all its fields are NULL.
A row with a value that cannot be converted is rejected.
NULL semantics: NULL stays NULL, unless ``default`` says what stands for NULL and
for a missing column or path. ``default: null`` only allows it to be missing.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.relations import family
from platform_pipelines.transforms import calling, outputs, paths
from platform_pipelines.transforms.converters import Call
from platform_pipelines.transforms.nesting import nested
from platform_pipelines.transforms.step import CURSOR_COLUMN, Built, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from platform_pipelines.transforms.outputs import Output

#: characters of a value that a reason quotes
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Column:
    """One output column as SQL: its expression, what it takes over unchanged, when and why it fails."""

    sql: str
    origin: str | None = None
    fails: str | None = None
    reason: str = "null"


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    outputs.parse(body)


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    declared = outputs.parse(step.body)
    made: dict[str, Column] = {}
    for output in declared:
        step, made[output.name] = _column(step, output)
    kept = _unmapped(step, declared)
    cursor = _keep_cursor(step, made, kept)
    bad = " or ".join(column.fails for column in made.values() if column.fails)
    source = quote(step.source)
    picked = nested({name: column.sql for name, column in made.items()} | {name: quote(name) for name in kept})
    relation = step.view(f"select {picked} from {source}" + (f" where not ({bad})" if bad else ""))
    origins = {name: column.origin for name, column in made.items() if column.origin is not None and "." not in name}
    rejects = _rejects(step, bad, made) if bad else None
    return Built(relation, origins | {name: name for name in kept}, cursor, rejects=rejects, same_rows=not bad)


def _unmapped(step: Step, declared: Sequence[Output]) -> list[str]:
    """Columns that go on as they are: none is taken whole, and no output has their name."""
    if step.unmapped == "drop":
        return []
    taken = {output.path for output in declared}
    named = {output.name.lower().split(".")[0] for output in declared}
    return [name for name in step.columns if name not in taken and name.lower() not in named]


def _column(step: Step, output: Output) -> tuple[Step, Column]:
    """The column, and the step it is computed in: functions of a user's own add their results to its rows."""
    place = paths.find(step, output.path)
    if place is None:
        if not output.defaulted:
            raise _missing(step, output)
        return step, Column(_default(step, output, _type(output)))
    value, kind, excuse = place.sql, place.type, "null"
    tests = [place.broken] if place.broken else []
    for each in output.convert:
        if isinstance(each, Call):
            function = calling.load(each.path)
            source, result, reason = calling.apply(step, function, value)
            step, value, kind = replace(step, source=source), result, function.type
            tests, excuse = [*tests, f"{reason} is not null"], reason
        else:
            converted = each.sql(value, kind)
            tests += [] if each.exact else [f"({value} is not null and ({converted}) is null)"]
            value, kind = converted, each.type
    fails = " or ".join(tests) or None
    if output.default is not None:
        value = f"coalesce({value}, {_default(step, output, kind)})"
    origin = place.column if value == place.sql else None
    return step, Column(value, origin, fails, _reason(output, place, excuse) if fails else "null")


def _type(output: Output) -> str | None:
    """The DuckDB type that the converters end in; None without converters."""
    last = output.convert[-1] if output.convert else None
    return calling.load(last.path).type if isinstance(last, Call) else last.type if last else None


def _missing(step: Step, output: Output) -> InvalidData:
    near = difflib.get_close_matches(output.path, step.columns, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return InvalidData(
        f"`map.{output.name}` takes `{output.path}`, which does not exist. Columns: {', '.join(step.columns)}.{hint} "
        "Where it may be missing, declare a `default` (null is one)."
    )


def _reason(output: Output, place: paths.Place, excuse: str) -> str:
    target = f"cannot be converted to {output.said}" if output.convert else "lies in text that is not JSON"
    if place.broken:
        root = quote(output.path.split(".")[0])
        shown = f"coalesce(cast({place.sql} as varchar), cast({root} as varchar))"
    else:
        shown = f"cast({place.sql} as varchar)"
    head, tail = literal(f"{output.name}: '"), literal(f"' {target}")
    return f"{head} || left({shown}, {_SHOWN}) || {tail} || coalesce(' (' || {excuse} || ')', '')"


def _default(step: Step, output: Output, kind: str | None) -> str:
    import duckdb

    value = output.default
    if value is None:
        return f"cast(null as {kind or 'varchar'})"
    if isinstance(value, bool):
        written = str(value).lower()
    elif isinstance(value, int | float | Decimal) and str(value).lower().strip("-") not in {"inf", "nan"}:
        written = str(value)
    else:
        written = literal(str(value))
    kind = kind or ("double" if isinstance(value, float) else None)
    typed = f"cast({written} as {kind})" if kind else written
    number = isinstance(value, int | float | Decimal) and kind and family(kind) in {"integer", "decimal"}
    try:
        row = step.connection.execute(f"select {f'{typed} = {written}' if number else typed}").fetchone()
    except duckdb.Error as error:
        raise _no_default(output, kind) from error
    if number and row != (True,):  # a cast rounds
        raise _no_default(output, kind)
    return typed


def _no_default(output: Output, kind: str | None) -> InvalidData:
    return InvalidData(
        f"`map.{output.name}.default` {output.default!r} is no value of the column's type {kind}. "
        "Convert the column, or change the default."
    )


def _keep_cursor(step: Step, made: dict[str, Column], kept: Sequence[str]) -> str | None:
    """The output's cursor column; adds one where the mapping drops it."""
    if step.cursor is None:
        return None
    if step.cursor in kept or (step.cursor in made and made[step.cursor].origin == step.cursor):
        return step.cursor
    made[CURSOR_COLUMN] = Column(quote(step.cursor), step.cursor)
    return CURSOR_COLUMN


def _rejects(step: Step, bad: str, made: Mapping[str, Column]) -> str:
    rule = literal(f"transform:{step.label}")
    reasons = [f"case when {column.fails} then {column.reason} end" for column in made.values() if column.fails]
    came = ", ".join(quote(name) for name in step.columns)
    return step.view(
        f"select {came}, {rule} as _pipelines_rule, [{rule}] as _pipelines_rules, "
        f"concat_ws('; ', {', '.join(reasons)}) as _pipelines_reason from {quote(step.source)} where {bad}"
    )

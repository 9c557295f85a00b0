"""``aggregate``: one row for each group of one batch.

NULL semantics: NULL is a group of its own; ``count`` counts rows, all other
functions pass over NULL, and the sum, average, minimum or maximum of nothing but
NULL is NULL. Sums of integers and decimals are exact, as DECIMAL(38).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.relations import family, require_columns
from platform_pipelines.transforms.step import Built, Step, mapping, names, within

if TYPE_CHECKING:
    from collections.abc import Mapping

_FUNCTIONS = ("count", "sum", "avg", "min", "max", "count_distinct")


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    _parse(body)


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    by, values = _parse(step.body)
    used = [column for _, column in values.values() if column]
    require_columns([*by, *used], step.columns, "`aggregate`")
    groups = [quote(name) for name in by]
    outputs = [f"{_call(*call, step.columns)} as {quote(out)}" for out, call in values.items()]
    order = f" group by {', '.join(groups)} order by {', '.join(groups)}" if groups else ""
    relation = step.table(f"select {', '.join(groups + outputs)} from {quote(step.source)}{order}")
    kept = {name: name for name in by}
    return Built(relation, kept, step.cursor if step.cursor in kept else None)


def _parse(body: Any) -> tuple[tuple[str, ...], dict[str, tuple[str, str | None]]]:  # noqa: ANN401 - any YAML value
    known = mapping(body, "`aggregate`", ("by", "values"))
    with within("by"):
        by = names(known.get("by", []), "`aggregate.by`")
    with within("values"):
        values = mapping(known.get("values"), "`aggregate.values`")
        parsed = {out: _function(out, value) for out, value in values.items()}
    if clash := set(by) & set(parsed):
        msg = f"`aggregate` yields the column `{min(clash)}` twice: as group and as value. Rename the value."
        raise SpecError(msg)
    return by, parsed


def _function(out: str, value: Any) -> tuple[str, str | None]:  # noqa: ANN401 - any YAML value
    name, _, column = value.partition(":") if isinstance(value, str) else ("", "", "")
    if name not in _FUNCTIONS or (name != "count" and not column):
        msg = f"`aggregate.values.{out}` is {value!r}. Allowed: count, and {_allowed()}, each followed by `:column`."
        raise SpecError(msg, path=(out,))
    return name, column or None


def _allowed() -> str:
    return ", ".join(_FUNCTIONS)


def _call(function: str, column: str | None, columns: Mapping[str, str]) -> str:
    if column is None:
        return "count(*)"
    kind, name = family(columns[column]), quote(column)
    if function in {"sum", "avg"} and kind not in {"integer", "decimal", "float"}:
        msg = f"`{function}:{column}` needs numbers; `{column}` is {columns[column]}. Convert it first, by `map`."
        raise InvalidData(msg)
    if function == "count_distinct":
        return f"count(distinct {name})"
    if function == "sum" and kind == "integer":
        # DuckDB adds integers up exactly, but for its widest type, of which it makes doubles
        wide = f"cast({name} as hugeint)" if columns[column] == "UHUGEINT" else name
        return f"cast(sum({wide}) as decimal(38, 0))"
    return f"{function}({name})"

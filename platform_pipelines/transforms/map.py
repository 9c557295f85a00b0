"""``map``: the columns that go on, each from a column or path, converted, with a default.

The output has exactly the mapped columns; the cursor is kept besides, as
``_pipelines_cursor``, where no column of its own name passes it on unchanged.
A row with a value that cannot be converted is rejected.
NULL semantics: NULL stays NULL, unless ``default`` says what stands for NULL and
for a missing column or path. ``default: null`` only allows it to be missing.
"""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines.convert import Converter, converter
from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.transforms import paths
from platform_pipelines.transforms.step import CURSOR_COLUMN, Built, Step, mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("from", "convert", "default")
#: characters of a value that a reason quotes
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Output:
    """One output column as declared.

    Attributes:
        name: its name.
        path: where its value comes from.
        explicit: whether the YAML names the path.
        convert: how it is converted.
        defaulted: whether a default is declared.
        default: a scalar, or None for NULL.
    """

    name: str
    path: str
    explicit: bool
    convert: Converter | None = None
    convert_name: str = ""
    defaulted: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Column:
    """One output column as SQL: its expression, what it takes over unchanged, when and why it fails."""

    sql: str
    origin: str | None = None
    fails: str | None = None
    reason: str = "null"


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    for name, value in mapping(body, "`map`").items():
        _parse(name, value)


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    outputs = [_parse(name, value) for name, value in mapping(step.body, "`map`").items()]
    made = {output.name: _column(step, output) for output in outputs}
    cursor = _keep_cursor(step, made)
    fails = [column.fails for column in made.values() if column.fails]
    source, bad = quote(step.source), " or ".join(fails)
    picked = ", ".join(f"{column.sql} as {quote(name)}" for name, column in made.items())
    relation = step.view(f"select {picked} from {source}" + (f" where not ({bad})" if bad else ""))
    origins = {name: column.origin for name, column in made.items() if column.origin is not None}
    rejects = _rejects(step, bad, made) if bad else None
    return Built(relation, origins, cursor, rejects=rejects, same_rows=not bad)


def _parse(name: str, value: Any) -> Output:  # noqa: ANN401 - any YAML value
    if value is None:
        return Output(name, name, explicit=True)
    if isinstance(value, str) and value:
        return Output(name, value, explicit=True)
    known = mapping(value, f"`map.{name}`", _KEYS)
    convert, path, default = known.get("convert"), known.get("from") or name, known.get("default")
    if not isinstance(path, str) or not isinstance(convert, str | None):
        msg = f"`map.{name}`: `from` and `convert` must be texts."
        raise SpecError(msg)
    return Output(
        name,
        path,
        explicit="from" in known or "default" not in known,
        convert=converter(convert) if convert else None,
        convert_name=convert or "",
        defaulted="default" in known,
        default=_scalar(name, default),
    )


def _scalar(name: str, default: Any) -> Any:  # noqa: ANN401 - any YAML value
    if default is None or isinstance(default, bool | int | float | str | Decimal | dt.date):
        return default
    msg = f"`map.{name}.default` must be a text, a number, true, false or null, not {default!r}."
    raise SpecError(msg)


def _column(step: Step, output: Output) -> Column:
    place = paths.find(step, output.path)
    if place is None:
        if not output.defaulted:
            raise _missing(step, output)
        return Column(_default(step, output, output.convert.type if output.convert else None))
    value = output.convert.sql(place.sql, place.type) if output.convert else place.sql
    kind = output.convert.type if output.convert else place.type
    tests = [place.broken] if place.broken else []
    if output.convert and not output.convert.exact:
        tests.append(f"({place.sql} is not null and ({value}) is null)")
    fails = " or ".join(tests) or None
    if output.default is not None:
        value = f"coalesce({value}, {_default(step, output, kind)})"
    origin = place.column if value == place.sql else None
    return Column(value, origin, fails, _reason(output, place) if fails else "null")


def _missing(step: Step, output: Output) -> InvalidData:
    near = difflib.get_close_matches(output.path, step.columns, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return InvalidData(
        f"`map.{output.name}` takes `{output.path}`, which does not exist. Columns: {', '.join(step.columns)}.{hint} "
        "Where it may be missing, declare a `default` (null is one)."
    )


def _reason(output: Output, place: paths.Place) -> str:
    target = f"cannot be converted to {output.convert_name}" if output.convert else "lies in text that is not JSON"
    if place.broken:
        root = quote(output.path.split(".")[0])
        shown = f"coalesce(cast({place.sql} as varchar), cast({root} as varchar))"
    else:
        shown = f"cast({place.sql} as varchar)"
    head, tail = literal(f"{output.name}: '"), literal(f"' {target}")
    return f"{head} || left({shown}, {_SHOWN}) || {tail}"


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
    written = f"cast({written} as {kind})" if kind else written
    try:
        step.connection.execute(f"select {written}")
    except duckdb.Error as error:
        msg = (
            f"`map.{output.name}.default` {value!r} is no value of the column's type {kind}. "
            "Convert the column, or change the default."
        )
        raise InvalidData(msg) from error
    return written


def _keep_cursor(step: Step, made: dict[str, Column]) -> str | None:
    """The output's cursor column; adds one where the mapping drops it."""
    if step.cursor is None:
        return None
    if step.cursor in made and made[step.cursor].origin == step.cursor:
        return step.cursor
    made[CURSOR_COLUMN] = Column(quote(step.cursor), step.cursor)
    return CURSOR_COLUMN


def _rejects(step: Step, bad: str, made: Mapping[str, Column]) -> str:
    rule = literal(f"transform:{step.label}")
    reasons = [f"case when {column.fails} then {column.reason} end" for column in made.values() if column.fails]
    return step.view(
        f"select *, {rule} as _pipelines_rule, [{rule}] as _pipelines_rules, "
        f"concat_ws('; ', {', '.join(reasons)}) as _pipelines_reason from {quote(step.source)} where {bad}"
    )

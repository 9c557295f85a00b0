"""Python functions as converters: called once a value, in this process, with its exact value.

The function's return annotation says what the column becomes; without one it is
text. A value for which the function raises, or returns something else, is rejected.
NULL semantics: NULL stays NULL and is not shown to the function; None becomes NULL.
"""

from __future__ import annotations

import datetime as dt
import json
import typing
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import SpecError
from platform_pipelines.relations import count, unused_name
from platform_pipelines.rows import to_values
from platform_pipelines.userobject import load_object

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from platform_pipelines.transforms.step import Step

_CHUNK = 65_536
_SHOWN = 300
_WIDE = Context(prec=200)
_SMALLEST = Decimal("1e-9")
_INT64 = range(-(2**63), 2**63)
#: DuckDB types by return annotation
_TYPES: dict[Any, str] = {
    str: "varchar",
    int: "bigint",
    float: "double",
    bool: "boolean",
    Decimal: "decimal(38, 9)",
    dt.date: "date",
    dt.datetime: "timestamptz",
    dict: "varchar",
    list: "varchar",
}


@dataclass(frozen=True, slots=True)
class Function:
    """A user's function.

    Attributes:
        path: ``module:name``.
        call: the function.
        returns: the Python type of its values.
        type: the DuckDB type of the column; dicts and lists become JSON text.
    """

    path: str
    call: Callable[[Any], Any]
    returns: Any
    type: str


def load(path: str) -> Function:
    """Import a function and see what it returns.

    Raises:
        SpecError: it cannot be imported, is no function, or returns what no column can hold.
    """
    found = load_object(path, "`convert`")
    if not callable(found):
        msg = f"`convert` names {path!r}, which is no function."
        raise SpecError(msg)
    returns = _returns(found)
    if returns not in _TYPES:
        allowed = ", ".join(each.__name__ for each in _TYPES)
        msg = f"`convert` names {path!r}, which is annotated to return {returns!r}. Allowed: {allowed}, each or None."
        raise SpecError(msg)
    return Function(path, found, returns, _TYPES[returns])


def apply(step: Step, function: Function, value: str) -> tuple[str, str, str]:
    """Call the function for every row of ``step.source``.

    Args:
        step: whose rows.
        function: what is called.
        value: SQL of its argument.

    Returns:
        A relation with the same rows in the same order, and two columns more: the
        names of the column of results, and of the column of reasons for which there is none.
    """
    rows = step.table(f"select *, {value} as _pipelines_argument from {quote(step.source)}")
    results, result, reason = unused_name("results"), unused_name("result"), unused_name("reason")
    step.connection.execute(f"create temp table {results} ({result} {function.type}, {reason} varchar)")
    for start in range(0, count(step.connection, rows), _CHUNK):
        chunk = f"rowid >= {start} and rowid < {start + _CHUNK} order by rowid"
        table = step.connection.execute(f"select _pipelines_argument from {quote(rows)} where {chunk}").to_arrow_table()
        _store(step, function, table.column(0), results)
    joined = step.table(
        f"select l.* exclude (_pipelines_argument), r.* from {quote(rows)} l positional join {results} r"
    )
    return joined, result, reason


def _store(step: Step, function: Function, column: pa.ChunkedArray[Any], results: str) -> None:
    import pyarrow as pa

    found = [_one(function, value) for value in to_values(column)]
    values, reasons = [value for value, _ in found], [reason for _, reason in found]
    kinds: dict[Any, pa.DataType] = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), dt.date: pa.date32()}
    kinds |= {Decimal: pa.decimal128(38, 9), dt.datetime: pa.timestamp("us", "UTC")}
    arrays = [pa.array(values, kinds.get(function.returns, pa.string())), pa.array(reasons, pa.string())]
    name = unused_name("chunk")
    step.connection.register(name, pa.table(arrays, ["value", "reason"]))
    try:
        step.connection.execute(f"insert into {results} from {name}")
    finally:
        step.connection.unregister(name)


def _one(function: Function, value: Any) -> tuple[Any, str | None]:  # noqa: ANN401 - any value of a column
    """The result, or why there is none."""
    if value is None:
        return None, None
    try:
        result = function.call(value)
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything: its record is rejected
        return None, _printable(f"{type(error).__name__}: {error}")
    if result is None:
        return None, None
    if problem := _misfit(function, result):
        return None, _printable(f"it returned {result!r}, {problem}")
    return _plain(result), None


def _plain(result: Any) -> Any:  # noqa: ANN401 - any allowed result
    """The result as Arrow takes it."""
    if isinstance(result, dict | list):
        return json.dumps(result, default=str)
    if isinstance(result, dt.datetime):
        return result.astimezone(dt.UTC)  # pyarrow was seen to take an offset for nothing
    return result.quantize(_SMALLEST, context=_WIDE) if isinstance(result, Decimal) else result


def _misfit(function: Function, result: Any) -> str | None:  # noqa: ANN401 - whatever a function returns
    wanted = function.returns
    if type(result) is not wanted and not (wanted not in {int, dt.date} and isinstance(result, wanted)):
        return (
            f"which is {type(result).__name__}; annotate what the function returns, such as -> {type(result).__name__}"
        )
    if wanted is int and result not in _INT64:
        return "which has more than 64 bits; return a Decimal or a str"
    if wanted is Decimal and not _fits(result):
        return "which does not fit decimal(38, 9)"
    if wanted is dt.datetime and (problem := _no_instant(result)):
        return problem
    return "which is no valid Unicode" if wanted is str and not _encodable(result) else None


def _no_instant(result: dt.datetime) -> str | None:
    if result.tzinfo is None:
        return "which has no zone"
    try:
        result.astimezone(dt.UTC)
    except OverflowError:
        return "which lies in no year from 1 to 9999 in UTC"
    return None


def _printable(reason: str) -> str:
    return reason[:_SHOWN].encode("utf-8", "backslashreplace").decode()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fits(value: Decimal) -> bool:
    if not value.is_finite():
        return False
    scaled = value.scaleb(9, context=_WIDE)
    return scaled == scaled.to_integral_value(context=_WIDE) and abs(scaled) < Decimal(10) ** 38


def _returns(found: Any) -> Any:  # noqa: ANN401 - any callable
    try:
        hint = typing.get_type_hints(found).get("return", str)
    except (TypeError, NameError, AttributeError):  # builtins have no annotations, and some name what is not there
        return str
    inner = [each for each in typing.get_args(hint) if each is not type(None)]
    union = type(None) in typing.get_args(hint)
    hint = inner[0] if union and len(inner) == 1 else hint
    return typing.get_origin(hint) or hint

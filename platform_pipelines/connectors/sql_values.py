"""Types and values of SQLAlchemy databases in Arrow, exact or rejected.

Drivers return text, numbers or objects for one SQL type as they please; here
each becomes a value of the column's type, or the record is rejected.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from platform_pipelines.model import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

_MOST_DIGITS = 38
_NUMERIC = {b"pg_type": b"numeric"}
_JSON = {b"pipelines_type": b"json"}
_SHOWN = 100


def schema_of(types: Mapping[str, Any]) -> pa.Schema:
    """The Arrow schema of columns with SQLAlchemy types; a number without scale becomes exact text."""
    import pyarrow as pa

    return pa.schema([_field(name, sql_type) for name, sql_type in types.items()])


def _field(name: str, sql_type: Any) -> pa.Field[Any]:  # noqa: ANN401 - a SQLAlchemy type
    import pyarrow as pa
    from sqlalchemy import types as s

    if isinstance(sql_type, s.Numeric) and not isinstance(sql_type, s.Float):
        if sql_type.precision is None or sql_type.precision > _MOST_DIGITS:
            return pa.field(name, pa.string(), metadata=_NUMERIC)
        return pa.field(name, pa.decimal128(sql_type.precision, sql_type.scale or 0))
    if isinstance(sql_type, s.JSON | s.ARRAY):
        return pa.field(name, pa.string(), metadata=_JSON)
    if isinstance(sql_type, s.DateTime):
        return pa.field(name, pa.timestamp("us", tz="UTC" if sql_type.timezone else None))
    plain: tuple[tuple[Any, pa.DataType], ...] = (
        (s.Boolean, pa.bool_()),
        (s.Integer, pa.int64()),
        (s.Float, pa.float64()),
        (s.Date, pa.date32()),
        (s.Time, pa.time64("us")),
        (s.LargeBinary, pa.binary()),
    )
    return pa.field(name, next((arrow for kind, arrow in plain if isinstance(sql_type, kind)), pa.string()))


class Values:
    """Converts rows of one read.

    Args:
        schema: the types; a null type is taken from the first rows, text where these say nothing.
        stream: its name, for messages.
    """

    def __init__(self, schema: pa.Schema, stream: str) -> None:
        self.schema = schema
        self._stream = stream
        self._settled = False

    def convert(self, rows: Sequence[Any]) -> tuple[pa.RecordBatch, tuple[Rejected, ...]]:
        """Rows as one record batch, and those that do not fit."""
        import pyarrow as pa

        if not self._settled:
            self.schema = _guess(self.schema, rows)
            self._settled = True
        converters = [converter(field.type) for field in self.schema]
        good, rejected = [], []
        for row in rows:
            try:
                good.append([None if v is None else c(v) for c, v in zip(converters, row, strict=True)])
            except (ValueError, TypeError, ArithmeticError, AttributeError):
                rejected.append(self._reject(row, converters))
        arrays = [pa.array([row[i] for row in good], field.type) for i, field in enumerate(self.schema)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema), tuple(rejected)

    def _reject(self, row: Sequence[Any], converters: Sequence[Callable[[Any], Any]]) -> Rejected:
        record = json.dumps(dict(zip(self.schema.names, row, strict=True)), default=str, ensure_ascii=False)
        for field, convert, value in zip(self.schema, converters, row, strict=True):
            try:
                _ = value is None or convert(value)
            except (ValueError, TypeError, ArithmeticError, AttributeError):
                shown = repr(value)[:_SHOWN]
                return Rejected(
                    record, f"{self._stream}, column {field.name!r}: {shown} is not a value of {field.type}."
                )
        return Rejected(record, f"{self._stream}: the row does not fit its columns.")


def converter(data_type: pa.DataType) -> Callable[[Any], Any]:
    """A function that makes a driver's value one of the Arrow type; it raises where something would be lost."""
    import pyarrow.types as t

    if t.is_decimal(data_type):
        return lambda value: _decimal(value, data_type.precision, data_type.scale)
    if t.is_timestamp(data_type):
        return _instant if data_type.tz else _moment
    choices: tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...] = (
        (t.is_boolean, _boolean),
        (t.is_integer, _integer),
        (t.is_floating, _floating),
        (t.is_date, _day),
        (t.is_time, lambda v: v if isinstance(v, dt.time) else dt.time.fromisoformat(v)),
        (t.is_binary, bytes),
    )
    return next((convert for check, convert in choices if check(data_type)), _text)


def _boolean(value: Any) -> bool:  # noqa: ANN401 - whatever the driver returns
    if value in (0, 1):
        return bool(value)
    raise ValueError(value)


def _integer(value: Any) -> int:  # noqa: ANN401 - whatever the driver returns
    if isinstance(value, float | str | bytes) or value != int(value) or not -(2**63) <= value < 2**63:
        raise ValueError(value)
    return int(value)


def _floating(value: Any) -> float:  # noqa: ANN401 - whatever the driver returns
    if isinstance(value, str | bytes):
        raise ValueError(value)  # noqa: TRY004 - one error for all that do not fit
    return float(value)


def _decimal(value: Any, precision: int, scale: int) -> Decimal:  # noqa: ANN401 - whatever the driver returns
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise InvalidOperation
    shifted = number.scaleb(scale)
    if shifted != shifted.to_integral_value() or len(str(abs(int(shifted)))) > precision:
        raise ValueError(value)
    return number


def _day(value: Any) -> dt.date:  # noqa: ANN401 - whatever the driver returns
    if isinstance(value, dt.datetime):
        raise ValueError(value)  # noqa: TRY004 - a moment is no day
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)


def _moment(value: Any) -> dt.datetime:  # noqa: ANN401 - whatever the driver returns
    moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
    if moment.tzinfo is not None:
        raise ValueError(value)
    return moment


def _instant(value: Any) -> dt.datetime:  # noqa: ANN401 - whatever the driver returns
    moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _text(value: Any) -> str:  # noqa: ANN401 - whatever the driver returns
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return value if isinstance(value, str) else str(value)


def _guess(schema: pa.Schema, rows: Sequence[Any]) -> pa.Schema:
    import pyarrow as pa
    import pyarrow.types as t

    fields = []
    for i, field in enumerate(schema):
        if t.is_null(field.type):
            fields.append(pa.field(field.name, _type_of([row[i] for row in rows if row[i] is not None])))
        else:
            fields.append(field)
    return pa.schema(fields)


def _type_of(values: Sequence[Any]) -> pa.DataType:
    """The type that all values have; text for a mixture, for exact numbers and for none."""
    import pyarrow as pa

    kinds = {type(value) for value in values}
    if kinds == {dt.datetime}:
        zones = {value.tzinfo is not None for value in values}
        return pa.timestamp("us", tz="UTC" if zones == {True} else None) if len(zones) == 1 else pa.string()
    plain: dict[type, pa.DataType] = {
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        dt.date: pa.date32(),
        bytes: pa.binary(),
    }
    return plain.get(kinds.pop(), pa.string()) if len(kinds) == 1 else pa.string()

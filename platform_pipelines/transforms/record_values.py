"""What the child of a ``python`` transform answered, as Arrow arrays.

Nothing in an answer is taken on trust: buffers are checked before Arrow sees
them. Values of several kinds in one column are brought to the kind that holds
them all exactly, else to that of the first; the rows of the others are named.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pyarrow as pa

_EXACT_FLOAT = 2**53
_DIGITS = 38
#: digits behind the point of decimals that have room, as ``map`` has them
_SCALE = 9
#: kinds of Python values as people know them
_SHOWN = {"NoneType": "None"}


@dataclass(frozen=True, slots=True)
class Answered:
    """One column of an answer.

    Attributes:
        name: the column.
        array: its values, one for each row of the chunk; None where every kept
            row has the value that came in.
        misfits: ``{row: reason}`` of values that do not fit among the others.
    """

    name: str
    array: pa.Array[Any] | None
    misfits: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the child made of a chunk.

    Attributes:
        keep: for each row, whether a record came out.
        columns: the columns of those that did.
        failed: ``{row: reason}`` of the records that raised.
    """

    keep: np.ndarray[Any, Any]
    columns: tuple[Answered, ...]
    failed: dict[int, str]


def read_answer(header: dict[str, Any], buffers: list[bytes], rows: int) -> Answer:
    """An answer about a chunk of so many rows.

    Raises:
        InvalidData: it does not fit together, which no honest child sends.
    """
    try:
        return _answer(header, buffers, rows)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, AttributeError) as error:
        msg = f"the process that runs the text sent an answer that cannot be read: {error}."
        raise InvalidData(msg) from error


def _answer(header: dict[str, Any], buffers: list[bytes], rows: int) -> Answer:
    import numpy as np

    *buffers, failed_rows, lines, lengths, messages = buffers
    keep = np.frombuffer(buffers[0], dtype=np.uint8).astype(bool)
    failed = _failures(failed_rows, lines, lengths, messages)
    if len(failed) != header["failed"]:
        msg = f"it names {len(failed)} records that raised, not {header['failed']}"
        raise ValueError(msg)
    if len(keep) != rows or any(not 0 <= row < rows or keep[row] for row in failed):
        msg = f"it is about {len(keep)} rows, not {rows}"
        raise ValueError(msg)
    place, columns = 1, []
    for column in header["columns"]:
        own = buffers[place : place + column["buffers"]]
        place += column["buffers"]
        columns.append(_answered(column, own, rows))
    return Answer(keep, tuple(columns), failed)


def _failures(rows: bytes, lines: bytes, lengths: bytes, messages: bytes) -> dict[int, str]:
    import numpy as np

    numbers = [np.frombuffer(each, dtype="<i8") for each in (rows, lines, lengths)]
    said = _blobs("text", [lengths, messages], np.zeros(len(numbers[2]), dtype=bool)).to_pylist()
    places = zip(numbers[0].tolist(), numbers[1].tolist(), said, strict=True)
    return {row: f"line {line}: {why}" if line else str(why) for row, line, why in places}


def _answered(header: dict[str, Any], buffers: list[bytes], rows: int) -> Answered:
    import numpy as np
    import pyarrow as pa

    name, kind = str(header["name"]), str(header["kind"])
    if kind == "same":
        return Answered(name, None)
    if kind == "null":
        return Answered(name, pa.nulls(rows))
    mask = np.frombuffer(buffers[-1], dtype=np.uint8).astype(bool) if header["nulls"] else np.zeros(rows, dtype=bool)
    if len(mask) != rows:
        msg = f"{len(mask)} NULL marks for {rows} rows"
        raise ValueError(msg)
    if kind in _NUMBERS:
        return Answered(name, _numbers(kind, buffers[0], mask))
    if kind in {"text", "bytes"}:
        return Answered(name, _blobs(kind, buffers, mask))
    if len(buffers[1]) > _NESTED:
        msg = (
            f"`{name}` holds {len(buffers[1]):,} bytes of nested values or long numbers in {rows:,} records; at most "
            f"{_NESTED:,} are taken. Return less in each record, or filter before."
        )
        raise InvalidData(msg)
    texts = _blobs("text", buffers, mask)
    if kind == "decimal" and (roomy := _decimals(texts)) is not None:
        return Answered(name, roomy)
    return _python_values(name, [None if text is None else _READ[kind](text) for text in texts.to_pylist()])


def _numbers(kind: str, buffer: bytes, mask: np.ndarray[Any, Any]) -> pa.Array[Any]:
    import numpy as np
    import pyarrow as pa

    layout, arrow = _NUMBERS[kind]
    values = np.frombuffer(buffer, dtype=layout)
    if len(values) != len(mask):
        msg = f"{len(values)} values for {len(mask)} rows"
        raise ValueError(msg)
    if kind == "bool":
        values = values.astype(bool)
    array: Any = pa.array(values, mask=mask)
    if kind == "date":
        array = array.cast(pa.int32()).cast(pa.date32())
    elif kind not in {"int", "float", "bool"}:
        array = array.cast(arrow())
    found: pa.Array[Any] = array
    return found


def _blobs(kind: str, buffers: list[bytes], mask: np.ndarray[Any, Any]) -> pa.Array[Any]:
    import numpy as np
    import pyarrow as pa

    lengths = np.frombuffer(buffers[0], dtype=np.int64)
    if len(lengths) != len(mask) or (lengths < 0).any() or (lengths > len(buffers[1])).any():
        msg = "lengths that are none"
        raise ValueError(msg)
    ends = np.concatenate(([0], np.cumsum(lengths)))
    if ends[-1] != len(buffers[1]):
        msg = "lengths that do not add up"
        raise ValueError(msg)
    arrow = pa.large_string() if kind == "text" else pa.large_binary()
    valid = pa.array(~mask).buffers()[1]
    array = pa.Array.from_buffers(
        arrow, len(mask), [valid, pa.py_buffer(ends.tobytes()), pa.py_buffer(buffers[1])], int(mask.sum())
    )
    array.validate(full=True)
    return array.cast(pa.string() if kind == "text" else pa.binary())


def _decimals(texts: pa.Array[Any]) -> pa.Array[Any] | None:
    """The texts as decimals with room, without a Python object for each; None where one does not fit in there."""
    import pyarrow as pa

    try:
        return texts.cast(pa.decimal128(_DIGITS, _SCALE))
    except pa.ArrowInvalid:
        return None


def _python_values(name: str, values: list[Any]) -> Answered:
    """Values of several kinds, decimals, large integers or nested values."""
    misfits: dict[int, str] = {}
    values = _one_kind(values, misfits)
    return Answered(name, _array(values, misfits), misfits)


def _one_kind(values: list[Any], misfits: dict[int, str]) -> list[Any]:
    kinds = Counter(_kind(value) for value in values if value is not None)
    if set(kinds) == {"int", "float"} and all(abs(v) <= _EXACT_FLOAT for v in values if _kind(v) == "int"):
        return [float(value) if _kind(value) == "int" else value for value in values]
    if set(kinds) <= {"int", "Decimal"}:
        return [Decimal(value) if _kind(value) == "int" else value for value in values]
    if set(kinds) == {"date", "datetime"}:
        return [dt.datetime.combine(v, dt.time()) if _kind(v) == "date" else v for v in values]
    if len(kinds) > 1:
        first = next(_kind(value) for value in values if value is not None)
        for row, value in enumerate(values):
            if value is not None and _kind(value) != first:
                misfits[row] = f"is a {_kind(value)} where other records have a {first}; give the field one type"
    return [None if row in misfits else value for row, value in enumerate(values)]


def _kind(value: object) -> str:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return "datetime with a zone"
    return type(value).__name__


def _array(values: list[Any], misfits: dict[int, str]) -> pa.Array[Any]:
    import pyarrow as pa

    for row, value in enumerate(values):
        if isinstance(value, Decimal) and (reason := _no_number(value)):
            misfits[row] = reason
    values = [None if row in misfits else value for row, value in enumerate(values)]
    zoned = any(isinstance(value, dt.datetime) and value.tzinfo for value in values)
    try:
        array = pa.array(values, pa.timestamp("us", "UTC") if zoned else None)
        if not pa.types.is_decimal(array.type) or array.type.bit_width <= _DECIMAL_BITS:
            return array
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        pass
    return _one_by_one(values, misfits)


def _one_by_one(values: list[Any], misfits: dict[int, str]) -> pa.Array[Any]:
    """The type of the first value for all; values that do not fit it are misfits."""
    import pyarrow as pa

    kind = next((pa.array([value]).type for value in values if value is not None), pa.null())
    kind = pa.decimal128(_DIGITS, max(kind.scale, 0)) if pa.types.is_decimal(kind) else kind
    fitting: list[Any] = []
    for row, value in enumerate(values):
        try:
            pa.array([value], kind)  # refuses other kinds
            pa.array([value]).cast(kind)  # refuses to truncate
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            misfits[row] = f"does not fit the type of other records, {kind}"
        fitting.append(None if row in misfits else value)
    return pa.array(fitting, kind)


def _no_number(value: Decimal) -> str | None:
    if not value.is_finite():
        return f"is {value}, which no exact number can be"
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - it is finite
    scale = max(-exponent, 0)
    if max(len(digits) + max(exponent, 0), scale) > _DIGITS:
        return f"has more than {_DIGITS} digits"
    return None


def _micros(zone: str | None) -> Callable[[], pa.DataType]:
    def make() -> pa.DataType:
        import pyarrow as pa

        return pa.timestamp("us", zone)

    return make


def _time_type() -> pa.DataType:
    import pyarrow as pa

    return pa.time64("us")


def _loads(text: str) -> Any:  # noqa: ANN401 - any value of a record
    from platform_pipelines.isolated import tagged

    return tagged.loads(text)


def _number(text: str) -> Decimal:
    """An exact number; one of very many digits, which no column can hold, is not worth reading."""
    return Decimal(text) if len(text) <= _LONGEST else Decimal(f"1e{_LONGEST}")


_DECIMAL_BITS = 128
#: digits, with all else that a number of 38 digits may be written with
_LONGEST = 200
#: bytes of values that become Python objects here, many times as large
_NESTED = 64_000_000
#: layout of the buffer, and the Arrow type its numbers become
_NUMBERS: dict[str, tuple[str, Callable[[], Any]]] = {
    "int": ("<i8", lambda: None),
    "float": ("<f8", lambda: None),
    "bool": ("u1", lambda: None),
    "date": ("<i8", lambda: None),
    "datetime": ("<i8", _micros(None)),
    "instant": ("<i8", _micros("UTC")),
    "time": ("<i8", _time_type),
}
_READ: dict[str, Callable[[str], Any]] = {"decimal": _number, "bigint": _number, "json": _loads}

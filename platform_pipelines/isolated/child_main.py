"""The child: locks itself up, then turns records into records until its input ends.

Standard library only. ``process`` starts it and sends, in this order, one frame
with what to run and one frame for each chunk of records; each is answered by one
frame. Output 1 is the only way out.
"""

from __future__ import annotations

import base64
import importlib
import itertools
import marshal
import operator
import os
import time
from array import array
from typing import TYPE_CHECKING, Any

from platform_pipelines.isolated import child_guards, child_names, child_values, tagged, wire
from platform_pipelines.isolated.child_names import TEXT

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

    Function = Callable[[dict[str, Any]], Any]

_RESERVED = "_pipelines_"
_MESSAGE = 500
#: what modules of the allow-list import when they are first used, which the guards would refuse
_LATER: dict[str, tuple[str, ...]] = {
    "": tuple(f"encodings.{each}" for each in ("cp1252", "latin_1", "utf_16", "utf_32", "utf_8_sig")),
    "datetime": ("_strptime", "time"),
    "collections": ("heapq",),
    "uuid": ("hashlib",),
    "urllib.parse": ("unicodedata", "ipaddress"),
}


def main(header: dict[str, Any], buffers: list[bytes]) -> None:
    """Lock up, say which guards are missing, then work."""
    modules: list[str] = header["modules"]
    for name in ("", *modules):
        for needed in (*filter(None, [name]), *_LATER.get(name, ())):
            importlib.import_module(needed)
    kept = _zones() if "zoneinfo" in modules else ()
    space = child_names.names(modules)
    os.close(2)
    missing = child_guards.lock(header["cpu_seconds"], header["memory_bytes"], base64.b64decode(header["filter"]))
    wire.write(1, wire.pack({"missing": missing}, []))
    exec(marshal.loads(buffers[0]), space)  # noqa: S102, S302 - this is what the cage is for; the parent compiled it
    _serve(space["transform"], modules, header["limit"])
    del kept


def _serve(function: Function, modules: list[str], limit: int) -> None:
    while True:
        header, buffers = wire.read(0, limit)
        _reset(modules)
        answer, parts = _chunk(function, header, buffers)
        wire.write(1, wire.pack({**answer, "cpu_seconds": time.process_time()}, parts))


def _reset(modules: list[str]) -> None:
    """State that a text may change without writing to a module."""
    if "decimal" in modules:
        import decimal

        traps = [decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow]
        decimal.setcontext(decimal.Context(prec=28, rounding=decimal.ROUND_HALF_EVEN, traps=traps))
    if "random" in modules:
        import random

        random.seed()


def _zones() -> tuple[Any, ...]:
    """Every zone, read while files can be read; held, so that ``ZoneInfo`` finds them again."""
    import zoneinfo

    return tuple(map(zoneinfo.ZoneInfo, zoneinfo.available_timezones()))


def _chunk(function: Function, header: dict[str, Any], buffers: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    inputs, place = {}, 0
    raw: dict[str, list[str]] = {}
    for column in header["columns"]:
        own = buffers[place : place + column["buffers"]]
        place += column["buffers"]
        inputs[column["name"]] = child_values.decode(column, own)
        if column["kind"] == "json":
            raw[column["name"]] = child_values.texts(own)
    results, failed = _run(function, inputs, header["rows"])
    return _answer(results, failed, inputs, raw)


def _run(function: Function, inputs: dict[str, list[Any]], rows: int) -> tuple[list[Any], dict[int, list[Any]]]:
    """What each record became, and ``{row: [line, message]}`` of those that raised."""
    results: list[Any] = []
    failed: dict[int, list[Any]] = {}
    names = list(inputs)
    arguments = ", ".join(f"a{place}" for place in range(len(names)))
    items = ", ".join(f"{name!r}: a{place}" for place, name in enumerate(names))
    make = eval(f"lambda {arguments}: {{{items}}}")  # noqa: S307 - twice as fast as dict(zip()); names are quoted
    records = map(make, *inputs.values()) if names else ({} for _ in range(rows))
    for record in records:
        try:
            results.append(function(record))
        except BaseException as error:  # noqa: BLE001 - a record that raises is a dead letter, whatever it raises
            failed[len(results)] = [_line(error.__traceback__), _message(error)]
            results.append(None)
    if not set(map(type, results)) <= {dict, type(None)}:
        for row, result in enumerate(results):
            if not isinstance(result, dict | None):
                failed[row] = [0, f"returned {type(result).__name__}; it must return a record (a dict) or None"]
                results[row] = None
    return results, failed


def _answer(
    results: list[Any], failed: dict[int, list[Any]], inputs: dict[str, list[Any]], raw: dict[str, list[str]]
) -> tuple[dict[str, Any], list[bytes]]:
    _check_names(results, failed)
    columns, parts = [], []
    names = dict.fromkeys(itertools.chain.from_iterable(filter(None, results)))
    for name in names:
        column, own = _column(name, results, failed, inputs, raw)
        columns.append({"name": name, "buffers": len(own), **column})
        parts += own
    keep = bytes(result is not None for result in results)
    return {"columns": columns, "failed": len(failed)}, [keep, *parts, *_failures(failed)]


def _failures(failed: dict[int, list[Any]]) -> list[bytes]:
    """Rows, lines, and messages by their lengths in bytes: four buffers."""
    rows = sorted(failed)
    messages = [str(failed[row][1]).encode(errors="backslashreplace") for row in rows]
    numbers = (rows, [failed[row][0] for row in rows], map(len, messages))
    return [*(array("q", each).tobytes() for each in numbers), b"".join(messages)]


def _check_names(results: list[Any], failed: dict[int, list[Any]]) -> None:
    names = set(itertools.chain.from_iterable(filter(None, results)))
    bad = {name for name in names if type(name) is not str or not name or name.casefold().startswith(_RESERVED)}
    for row, result in enumerate(results) if bad else ():
        if result and (own := bad.intersection(result)):
            failed[row] = [
                0,
                f"returned the key {next(iter(own))!r}; keys are texts that do not begin with {_RESERVED}",
            ]
            results[row] = None


def _column(
    name: str, results: list[Any], failed: dict[int, list[Any]], inputs: dict[str, list[Any]], raw: dict[str, list[str]]
) -> tuple[dict[str, Any], list[bytes]]:
    """One column: as it came in, where every record that is kept has that very value still."""
    values = [None if result is None else result.get(name) for result in results]
    kept = [result is not None for result in results]
    if name in raw:
        same = _same_texts(values, kept, inputs[name], raw[name])
    else:
        same = name in inputs and all(itertools.compress(map(operator.is_, values, inputs[name]), kept))
    if same:
        return {"kind": "same", "nulls": False}, []
    try:
        return child_values.encode(values)
    except child_values.Unfit as unfit:
        for row, reason in unfit.reasons.items():
            failed[row] = [0, f"`{name}` {reason}"]
            results[row] = values[row] = None
        return child_values.encode(values)


def _same_texts(values: list[Any], kept: list[bool], before: list[Any], texts: list[str]) -> bool:
    """A nested value may have been changed inside, so its text is compared."""
    try:
        return all(
            value is old is None if old is None else tagged.dumps(value) == text
            for value, old, text in itertools.compress(zip(values, before, texts, strict=True), kept)
        )
    except (TypeError, ValueError, RecursionError):
        return False


def _line(traceback: types.TracebackType | None) -> int:
    """The last line of the user's own text on the way to an error."""
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == TEXT:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - an exception of a user's own making
        text = ""
    shown = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return shown[:_MESSAGE].encode(errors="backslashreplace").decode()

"""What the demo must arrive at, worked out from its input with the csv module alone.

The rules are written down here a second time on purpose: nothing of the package
under test, and no DuckDB, takes part.
"""

from __future__ import annotations

import csv
import datetime as dt
import functools
import io
import zipfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines.demo.data import installed_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Row = dict[str, Any]

_FLOATS = {"lat", "lon", "temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"}
_TEXTS = {
    "carrier",
    "name",
    "faa",
    "dst",
    "tzone",
    "tailnum",
    "type",
    "manufacturer",
    "model",
    "engine",
    "origin",
    "dest",
}
FLIGHT_KEY = ("year", "month", "day", "carrier", "flight", "origin")


@dataclass
class Expected:
    """What becomes of one input file: rows read, dead letters by rule, rows flagged, rows that arrive."""

    read: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    flagged: int = 0
    rows: list[Row] = field(default_factory=list)


def _value(column: str, text: str) -> Any:
    if text in {"", "NA"}:
        return None
    if column == "time_hour":
        return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    if column in _FLOATS:
        return float(text)
    return text if column in _TEXTS else int(text)


def read(name: str) -> Iterator[Row]:
    """The rows of an input file, typed; NA is None."""
    path = installed_files()[name]
    data = zipfile.ZipFile(path).read(name.removesuffix(".zip")) if name.endswith(".zip") else path.read_bytes()
    for row in csv.DictReader(io.StringIO(data.decode())):
        yield {column: _value(column, text) for column, text in row.items()}


def _judge(name: str, error: Callable[[Row], str | None], warning: Callable[[Row], bool]) -> Expected:
    result = Expected()
    for row in read(name):
        result.read += 1
        rule = error(row)
        if rule is not None:
            result.rejected[rule] += 1
            continue
        result.flagged += warning(row)
        result.rows.append(row)
    return result


@functools.cache
def airlines() -> Expected:
    return _judge("airlines.csv", lambda _: None, lambda _: False)


@functools.cache
def airports() -> Expected:
    return _judge("airports.csv", lambda _: None, lambda row: row["tzone"] is None)


@functools.cache
def planes() -> Expected:
    return _judge("planes.csv", lambda _: None, lambda row: row["year"] is None)


@functools.cache
def weather() -> Expected:
    def error(row: Row) -> str | None:
        wind = row["wind_speed"]
        return "wind_possible" if wind is not None and not 0 <= wind <= 200 else None

    return _judge("weather.csv", error, lambda row: row["humid"] is not None and row["humid"] > 100)


@functools.cache
def flights() -> Expected:
    known = {row["faa"] for row in airports().rows}
    tails = {row["tailnum"] for row in planes().rows}
    return _judge(
        "flights.csv.zip",
        lambda row: None if row["dest"] in known else "destination_known",
        lambda row: row["tailnum"] is not None and row["tailnum"] not in tails,
    )


@functools.cache
def delays() -> dict[tuple[str, int, int], Row]:
    """Delays by (carrier, year, month) of the flights that arrived in the warehouse."""
    groups: dict[tuple[str, int, int], list[Row]] = defaultdict(list)
    for row in flights().rows:
        groups[row["carrier"], row["year"], row["month"]].append(row)
    names = {row["carrier"]: row["name"] for row in airlines().rows}
    return {key: _delay(rows) | {"carrier_name": names[key[0]]} for key, rows in groups.items()}


def _delay(rows: list[Row]) -> Row:
    departures = [row["dep_delay"] for row in rows if row["dep_delay"] is not None]
    arrivals = [row["arr_delay"] for row in rows if row["arr_delay"] is not None]
    return {
        "flights": len(rows),
        "departed": len(departures),
        "avg_dep_delay": sum(departures) / len(departures),
        "max_dep_delay": max(departures),
        "avg_arr_delay": sum(arrivals) / len(arrivals),
        "destinations": len({row["dest"] for row in rows}),
    }

"""``python -m benchmarks python_transform``: the isolated transform against the same function in this process.

Prints records per second: of the function alone, over dicts that are there
already; of the whole transform, with DuckDB columns in and out, by the clock and
by CPU time of both processes; and of the child alone by its CPU time, which is
what one core does.
"""

from __future__ import annotations

import resource
import statistics
import time
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.relations import columns
from platform_pipelines.transforms import python
from platform_pipelines.transforms.step import Step

if TYPE_CHECKING:
    import duckdb

TEXTS = {
    "one text field": "record['email'] = (record.get('email') or '').lower()\nreturn record",
    "two numbers": "record['total'] = record['price'] * record['amount']\nreturn record",
    "all columns": "record = dict(record)\nrecord['email'] = record['email'].lower()\nreturn record",
    "half dropped": "if record['amount'] % 2: return None\nreturn record",
}
SOURCE = """select i as id, 'User' || i || '@Example.com' as email, i / 3 as price, i % 10 as amount,
    timestamptz '2024-01-01' + interval (i) second as at from range({rows}) t(i)"""


def compare(repeats: int, rows: int = 500_000) -> None:
    """Measure and print."""
    connection = duck.connect()
    connection.execute(f"create temp table source as {SOURCE.format(rows=rows)}")
    print(f"Isolated Python: {rows:,} records, records per second, medians of {repeats}")
    print(f"{'':16}{'in process':>12}{'transform':>12}{'ratio':>8}{'by CPU':>12}{'child CPU':>12}")
    for name, text in TEXTS.items():
        own = statistics.median(_in_process(connection, text) for _ in range(repeats))
        runs = [_isolated(connection, text) for _ in range(repeats)]
        wall, both, child = (statistics.median(figures) for figures in zip(*runs, strict=True))
        rates = [rows / seconds for seconds in (own, wall, both, child)]
        print(f"{name:16}{rates[0]:12,.0f}{rates[1]:12,.0f}{wall / own:8.1f}{rates[2]:12,.0f}{rates[3]:12,.0f}")


def _in_process(connection: duckdb.DuckDBPyConnection, text: str) -> float:
    """Seconds of the plain function over dicts."""
    body = "\n".join(f"    {line}" for line in text.splitlines())
    space: dict[str, Any] = {}
    exec(f"def transform(record):\n{body}", space)  # noqa: S102 - the texts above
    records = connection.execute("from source").to_arrow_table().to_pylist()
    function = space["transform"]
    started = time.perf_counter()
    for record in records:
        function(record)
    return time.perf_counter() - started


def _isolated(connection: duckdb.DuckDBPyConnection, text: str) -> tuple[float, float, float]:
    """Seconds by the clock, of CPU in both processes, of CPU in the child."""
    step = Step(connection, text, "bench", "source", columns(connection, "source"), None, None)  # type: ignore[arg-type]
    before, started = _cpu(), time.perf_counter()
    built = python.build(step)
    seconds, after = time.perf_counter() - started, _cpu()
    connection.execute(f'drop view "{built.relation}"')
    child = after[1] - before[1]
    return seconds, after[0] - before[0] + child, child


def _cpu() -> tuple[float, float]:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own, children = (usage.ru_utime + usage.ru_stime for usage in usages)
    return own, children

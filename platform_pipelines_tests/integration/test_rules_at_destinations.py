"""Rules about what is loaded, and reconciliation with the source, at every kind of destination."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.api.pipeline import Pipeline
from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine import dead_letters

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("email", pa.string()),
        ("day", pa.date32()),
        ("parent", pa.int64()),
        ("amount", pa.decimal128(12, 2)),
        ("region", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
    ]
)
RULES = [
    {"id": "once", "type": "unique", "fields": ["email", "day"], "scope": "out"},
    {"id": "known", "type": "foreign_key", "field": "parent", "reference": {"destination": "out", "field": "id"}},
]
Row = tuple[int, str | None, int, int | None]


@pytest.fixture(params=["duckdb", "postgres", "parquet", "csv", "memory"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The configuration of a destination's connector."""
    monkeypatch.chdir(tmp_path)
    given: dict[str, dict[str, Any]] = {
        "duckdb": {"type": "duckdb", "path": "w.duckdb"},
        "parquet": {"type": "files", "root": "lake"},
        "csv": {"type": "files", "root": "lake", "format": "csv"},
        "memory": {"type": "memory", "space": uuid.uuid4().hex},
    }
    if request.param == "postgres":
        return {"type": "postgres", "dsn": request.getfixturevalue("postgres_database")}
    return given[request.param]


def pipeline(target: dict[str, Any], **changes: Any) -> Pipeline:
    out = {"name": "out", "connector": "to", "table": "people", "mode": "merge", "key": ["id"]}
    source = {"connector": "source", "stream": "rows", "mode": "incremental", "cursor": {"field": "at"}}
    config = {"name": "people", "source": source, "quality": {"rules": RULES}, "destinations": [out], **changes}
    saved = {"to": target, "source": {"type": "memory", "space": "rules_at_destinations"}}
    return Pipeline.from_config(config, connectors=saved, store="store")


def put(*rows: Row) -> None:
    """The rows of the source; each is newer than those before, and of two regions in turn."""
    found = [
        {
            "id": number,
            "email": email,
            "day": dt.date(2024, 1, day),
            "parent": parent,
            "amount": Decimal(number) / 4,
            "region": ("eu", "us")[number % 2],
            "at": dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=place),
        }
        for place, (number, email, day, parent) in enumerate(rows)
    ]
    MemoryConnector.put("rows", pa.Table.from_pylist(found, SCHEMA), "rules_at_destinations")


def rejected(made: Pipeline) -> list[tuple[Any, str]]:
    return sorted((letter["record"]["id"], letter["rule"]) for letter in dead_letters(made.project, made.name))


FIRST: tuple[Row, ...] = ((1, "a", 1, None), (2, "a", 2, 1))
SECOND: tuple[Row, ...] = (
    *FIRST,
    (3, "a", 1, None),  # taken by 1
    (4, "b", 1, 2),
    (5, "b", 2, 9),  # no such parent
    (6, "c", 1, 6),  # its own parent
    (7, "d", 1, None),
)


def test_what_is_loaded_is_looked_at(target: dict[str, Any]) -> None:
    made = pipeline(target)
    put(*FIRST)
    assert made.run().status == "success"
    put(*SECOND)
    done = made.run()
    assert (done.status, done.success_count) == ("success", 3)
    assert rejected(made) == [(3, "once"), (5, "known")]
    put(*SECOND, (1, "z", 1, None), (8, "a", 1, 4))  # 1 gives its place up
    made.run()
    assert rejected(made) == [(3, "once"), (5, "known")]


def test_every_partition_is_compared_with_the_source(target: dict[str, Any]) -> None:
    there = {"id": "there", "type": "required", "fields": ["email"]}
    same = {"id": "same", "type": "reconciliation", "sums": ["amount"]}
    regions = {"by": "value", "field": "region", "values": ["eu", "us"]}
    put(*FIRST, (3, None, 1, None), *SECOND[3:])
    done = pipeline(target, partitions=regions, quality={"rules": [there, same]}).run()
    assert (done.status, done.success_count) == ("partial", 6)  # 7 is at the watermark, and not compared
    assert done.report.destinations["out"].error == (
        "The rows of people/us are loaded into `out`, but same differs in `out`, partition us: rows: 3 at the source, "
        "2 loaded; sum of amount: 2.25 at the source, 1.50 loaded. 1 records of it were rejected."
    )

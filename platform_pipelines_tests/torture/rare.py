"""Kinds of run that are rare, each with what is special about its project, and its history.

They go with few destinations and modes; how a run of any kind is attacked is left to
``cases`` and ``matrix``.
"""

from __future__ import annotations

import contextlib
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa

from platform_pipelines.connectors import postgres_destination
from platform_pipelines.sql.arrow_types import PG_DOMAIN, PG_TYPE
from platform_pipelines.store import history, totals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from platform_pipelines_tests.torture.site import Site

DELETES, SOFT, FIELD = "deletes", "soft_deletes", "field_deletes"
BY_DAY, REWIND, DESTRUCTIVE = "by_day", "rewind", "destructive"
#: what a killed run left is swept; the log was damaged by hand; batches expire; limits of hundreds are met; an API
#: takes a row for none
SWEPT, DAMAGED, EXPIRY, MANY, REFUSED = "swept", "damaged", "expiry", "many", "refused"
#: integers come for decimals; columns are of types of the destination's own; the key becomes another
INTEGERS, TYPED, REKEYED = "integers", "typed", "rekeyed"
#: kinds before which there is no run
FIRST = ("first", TYPED)
#: kinds that take ``--allow-destructive``
LOSING = (DESTRUCTIVE, REKEYED)

#: modes and kinds in which a destination is sent statements that are sent in no usual ones
OF_SQL = {
    "duckdb": (("merge", FIELD), ("append", INTEGERS)),
    "postgres": (("merge", FIELD), ("append", INTEGERS), ("append", TYPED), ("merge", REKEYED), ("merge", MANY)),
}

#: the days of eu and us
DAYS = ("2024-03-01", "2024-03-02")
_BY_DAY = {"by": "day", "field": "day", "start": DAYS[0], "end": "2024-03-03"}
#: of kinds; with a limit to their age, batches' keys are kept apart from the batches
_RETENTION = {DELETES: "5000w", EXPIRY: "0h"}
#: of what usually takes hundreds: those met at once
_LIMITS = (
    (totals, "STEP", 1),
    (history, "KEPT", 1),
    (history, "_SLACK", 0),
    (postgres_destination, "_ANALYZE_ROWS", 0),
)
_TORN = b"torn"
_ATTEMPT, _SCRATCH = "0123456789ab", "0123456789abcdef" * 2
#: of PostgreSQL, with which a column comes that is to be of them
_OWN_TYPES = (
    "drop schema if exists own cascade",
    "create schema own",
    "create type own.letter as enum ('a', 'b', 'x')",
    "create domain own.vowel as own.letter",
)
_TYPED = {PG_TYPE: b"own.letter", PG_DOMAIN: b"own.vowel"}


def deletes(kind: str) -> dict[str, Any]:
    """What the source says of deletes."""
    if kind == FIELD:
        return {"deletes": {"field": "gone", "max_share": 0.9, "action": "hard"}}
    action = {DELETES: "hard", SOFT: "soft"}.get(kind)
    return {"deletes": {"detect": "key_difference", "max_share": 0.9, "action": action}} if action else {}


def partitions(kind: str, *, by_value: bool) -> dict[str, Any]:
    """What the pipeline says of partitions."""
    if kind == BY_DAY:
        return {"partitions": _BY_DAY}
    return {"partitions": {"by": "value", "field": "region", "values": ["eu", "us"]}} if by_value else {}


def key(kind: str, *, attacked: bool) -> list[str]:
    """What rows are merged by."""
    return ["id", "region"] if kind == REKEYED and attacked else ["id"]


def columns(kind: str, rows: pa.Table, *, attacked: bool) -> pa.Table:
    """The rows at the source with the columns that the kind needs.

    Args:
        kind: of run.
        rows: as they are at the source for any kind.
        attacked: for the run under attack, or else for those before it.
    """
    records = rows.to_pylist()
    numbers = [each["id"] for each in records]
    if kind == BY_DAY:
        days = pa.array([DAYS[each["region"] == "us"] for each in records], pa.string())
        return rows.append_column("day", days.cast(pa.date32()))
    if kind == FIELD:
        gone = ["gone" if each["id"] in {5, 10} and each["at"] >= 5 else None for each in records]
        return rows.append_column("gone", pa.array(gone, pa.string()))
    if kind == TYPED:
        return rows.append_column(pa.field("w", pa.string(), metadata=_TYPED), rows["v"])
    added: dict[tuple[str, bool], pa.Array[Any]] = {
        (DESTRUCTIVE, False): pa.array(numbers, pa.int32()).cast(pa.date32()),
        (DESTRUCTIVE, True): pa.array(numbers, pa.int32()),
        (INTEGERS, False): pa.array([Decimal(each) / 100 for each in numbers], pa.decimal128(3, 2)),
        (INTEGERS, True): pa.array(numbers, pa.int64()),
        ("new_column", True): pa.array([f"w{each}" for each in numbers], pa.string()),
    }
    return rows.append_column("w", added[kind, attacked]) if (kind, attacked) in added else rows


def quality(kind: str) -> dict[str, Any]:
    """What else the pipeline says of quality, for the run under attack."""
    if kind in {"release", "discard"}:
        return {"gate": {"max_rejected": 0}, "alert": {"max_dead_letters": 1}}
    if kind == MANY:  # entries of history are of what alerts are about
        return {"gate": {"max_rejected": 99}, "alert": {"max_dead_letters": 99}}
    return {"approval": {"min_score": 0.99}} if kind in {"approve", SWEPT} else {}


@contextlib.contextmanager
def surroundings(kind: str) -> Iterator[None]:
    """What holds while any run of the kind goes on: settings, and limits that else are met after hundreds of batches."""
    limits = _LIMITS if kind == MANY else ()
    before = [(module, name, getattr(module, name)) for module, name, _ in limits]
    for module, name, value in limits:
        setattr(module, name, value)
    if kind in _RETENTION:
        os.environ["PIPELINES_RETENTION"] = _RETENTION[kind]
    try:
        yield
    finally:
        os.environ.pop("PIPELINES_RETENTION", None)
        for module, name, value in before:
            setattr(module, name, value)


def lead_up(kind: str, site: Site) -> None:
    """What happened between the last run and the one under attack."""
    if kind == DAMAGED:
        log = site.logs()[0]
        (log.epoch_folder(1) / "000001.json").write_bytes(b"{")
    if kind == TYPED and "postgres" in site.targets:
        with psycopg.connect(site.dsn, autocommit=True) as connection:
            for statement in ("set client_min_messages = error", *_OWN_TYPES):
                connection.execute(statement)
    if kind == SWEPT:
        for path in _left_by_kills(site):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_TORN)


def _left_by_kills(site: Site) -> Iterator[Path]:
    """Files as a process leaves them that dies while it writes, each where it does."""
    temporary = f".one.json.{_ATTEMPT}.tmp"
    for log in site.logs():
        yield log.epoch_folder(log.epochs()[-1] + 1) / temporary
        for epoch in log.epochs():
            folder = log.epoch_folder(epoch)
            yield folder / temporary
            yield folder / f"000099-{_ATTEMPT}" / "data-000000.parquet"
            yield folder / "000099.replay"
        if (log.folder / "offsets").is_dir():  # of an API
            yield log.folder / "offsets" / temporary
    for name in ("approvals", "schemas"):
        yield site.root / site.store_path / "p" / name / temporary
    if "duckdb" in site.targets:
        yield site.root / "out" / f".w.duckdb.{_SCRATCH}" / "w.duckdb"

"""A source in the course of time, under every type of cursor, and a pipeline that reads it.

Its clock begins shortly before a zone sets its clock back or forward; its pages come in any order, some empty. What
happens to its rows is left to the tests.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.engine import RunRequest, run
from platform_pipelines.engine.project import Project
from platform_pipelines.model import Page
from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines.store import Store
from platform_pipelines_tests import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.engine import RunReport
    from platform_pipelines.model import Stream, Window

MINUTE = dt.timedelta(minutes=1)
LAG = 25 * MINUTE
#: clocks are ahead and behind by no more, time passes in steps of no more, transactions are open for no more
AHEAD, BEHIND, STEP, OPEN = 5, 5, 8, 7
LOOKBACK = 1
#: rows from this number on may have no cursor; a partition that did not run may hold such a row still
SOMETIMES_MISSING = 10
OUT = {"table": "out", "mode": "merge", "key": ["id"]}
DAYS = [dt.date(2026, 10, 24) + dt.timedelta(days=n) for n in range(3)]


@dataclass(frozen=True)
class Kind:
    """A type of cursor.

    Attributes:
        arrow: its Arrow type.
        zone: in which naive values are.
        begin: the instant at which histories begin.
    """

    arrow: pa.DataType
    zone: str | None
    begin: dt.datetime

    @property
    def cursor(self) -> dict[str, Any]:
        """The pipeline's cursor."""
        lag = "1d" if pa.types.is_date(self.arrow) else f"{int(LAG.total_seconds())}s"
        return {"field": "at", "lag": lag, "on_missing": "include"} | ({"timezone": self.zone} if self.zone else {})

    def stamp(self, instant: dt.datetime) -> Any:
        """What a clock of this kind writes at an instant."""
        local = instant.astimezone(ZoneInfo(self.zone or "UTC"))
        if pa.types.is_integer(self.arrow):
            return int(instant.timestamp())
        if pa.types.is_date(self.arrow):
            return local.date()
        return local.replace(tzinfo=None) if self.zone else instant


_BACK, _FORWARD = dt.datetime(2026, 10, 25, 0, 45, tzinfo=dt.UTC), dt.datetime(2026, 3, 29, 0, 45, tzinfo=dt.UTC)
KINDS = {
    "instants": Kind(pa.timestamp("us", "UTC"), None, _BACK),
    "Berlin sets its clock back": Kind(pa.timestamp("us"), "Europe/Berlin", _BACK),
    "Berlin sets its clock forward": Kind(pa.timestamp("us"), "Europe/Berlin", _FORWARD),
    "Lord Howe, half an hour back": Kind(
        pa.timestamp("us"), "Australia/Lord_Howe", dt.datetime(2026, 4, 4, 14, 50, tzinfo=dt.UTC)
    ),
    "nanoseconds in UTC": Kind(pa.timestamp("ns"), "UTC", _BACK),
    "dates": Kind(pa.date32(), None, dt.datetime(2026, 10, 24, 23, 45, tzinfo=dt.UTC)),
    "numbers": Kind(pa.int64(), None, _BACK),
}
Row = tuple[int, Any, dt.date, str]


class Shuffled(MemoryConnector):
    """Rows in any order, on pages of any size, some of them empty."""

    seed: int = 0

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:
        draw = random.Random(self.seed)  # noqa: S311 - no secret
        rows = pa.Table.from_batches([b for page in super().read(stream, window, resume) for b in page.batches])
        order = list(range(rows.num_rows))
        draw.shuffle(order)
        yield Page((_nothing(rows.schema),))
        while order:
            size = draw.randint(1, 3)
            yield Page(tuple(rows.take(order[:size]).combine_chunks().to_batches()))
            if draw.random() < 0.3:
                yield Page((_nothing(rows.schema),))
            order = order[size:]


def _nothing(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], each.type) for each in schema], schema=schema)


@dataclass(frozen=True)
class Seen:
    """What a run left.

    Attributes:
        error: of the run.
        loaded: the destination's rows.
        expected: the source's; of a run of some partitions those that it must have met.
    """

    error: str | None
    loaded: Mapping[int, Row | None] = field(default_factory=dict)
    expected: Mapping[int, Row] = field(default_factory=dict)


@dataclass
class History:
    """A source in the course of time, and a pipeline that reads it."""

    kind: Kind
    partitioned: bool
    root: Path
    now: dt.datetime = field(init=False)
    rows: dict[int, Row] = field(default_factory=dict)
    late: list[Row] = field(default_factory=list)
    others: dict[str, Connector] = field(default_factory=dict)
    runs: int = 0
    count: int = 0

    def __post_init__(self) -> None:
        self.now = self.kind.begin

    def stamp(self, number: int, skew: int) -> Any:
        """What the clock of a writer says, that many minutes behind, never less than the row had before."""
        stamped = self.kind.stamp(self.now - skew * MINUTE)
        before = self.highest.get(number)
        return stamped if before is None or stamped > before else None

    @property
    def highest(self) -> dict[int, Any]:
        return {row[0]: row[1] for row in [*self.rows.values(), *self.late] if row[1] is not None}

    def write(self, number: int, skew: int, day: dt.date, *, missing: bool, late: bool) -> None:
        """Insert or update a row; one whose clock went back meanwhile gets no new version, as the page says."""
        if any(row[0] == number for row in self.late):
            return  # its transaction is open
        at = None if missing and number not in self.rows else self.stamp(number, skew)
        if at is None and not (missing and number not in self.rows):
            return
        self.count += 1
        row = (number, at, day, f"v{self.count}")
        if late:
            self.late.append(row)
        else:
            self.rows[number] = row

    def commit(self) -> None:
        """The open transactions end."""
        self.rows |= {row[0]: row for row in self.late}
        self.late = []

    def due(self) -> Seen:
        """Run what a schedule would: the newest partition, ``lookback`` before it, and those that never ran."""
        error = self.run(due=True).error
        if error is not None or not self.rows:
            return Seen(error)
        loaded, recent = self.loaded(), DAYS[-1 - LOOKBACK :]
        sure = {n: row for n, row in self.source().items() if row[2] in recent and n < SOMETIMES_MISSING}
        return Seen(None, {number: loaded.get(number) for number in sure}, sure)

    def run(self, keys: tuple[str, ...] | None = None, *, due: bool = False, **request: Any) -> RunReport:
        self.runs += 1
        schema = pa.schema([("id", pa.int64()), ("at", self.kind.arrow), ("day", pa.date32()), ("v", pa.string())])
        columns = list(zip(*self.rows.values(), strict=True)) or [(), (), (), ()]
        arrays = [pa.array(column, each.type) for column, each in zip(columns, schema, strict=True)]
        MemoryConnector.put("rows", pa.table(arrays, schema=schema), self.root.name)
        connectors: dict[str, Connector] = {
            "source": Shuffled(space=self.root.name, seed=self.runs),
        } | (self.others or {"out": MemoryConnector(space=self.root.name)})
        declared = {name: ConnectorSpec(name, each.type) for name, each in connectors.items()}
        config: dict[str, Any] = {
            "name": "p",
            "source": {"connector": "source", "stream": "rows", "mode": "incremental", "cursor": self.kind.cursor},
            "destinations": [OUT | {"connector": name} for name in connectors if name != "source"],
        }
        if self.partitioned:
            end = DAYS[-1] + dt.timedelta(days=1)
            period = {"by": "day", "field": "day", "start": str(DAYS[0]), "end": str(end)}
            config["partitions"] = period | {"lookback": LOOKBACK}
        spec = pipeline_from_config(config, Catalog(self.root, self.root, declared), capabilities)
        catalog = Catalog(self.root, self.root, declared, {"p": spec})
        project = Project(catalog, Store("store", self.root), self.root, connectors)
        partitions = (keys or tuple(day.isoformat() for day in DAYS)) if self.partitioned and not due else None
        return run(project, RunRequest("p", partitions=partitions, **request))

    def loaded(self) -> dict[int, Row]:
        if self.others:
            return self._loaded_elsewhere()
        table = MemoryConnector(space=self.root.name).table("out")
        kept = table.select(["id", "at", "day", "v"])
        return {row["id"]: tuple(row.values()) for row in kept.to_pylist()}  # type: ignore[misc]

    def _loaded_elsewhere(self) -> dict[int, Row]:
        """The rows of each destination, all the same."""
        found = [tables.rows_of(kind, self.root, "", 'id, id, "at", day, v') for kind in self.others]
        assert all(rows == found[0] for rows in found)
        return found[0]  # type: ignore[return-value]

    def source(self) -> dict[int, Row]:
        schema = pa.schema([("at", self.kind.arrow)])
        return {
            number: (row[0], pa.array([row[1]], schema.field(0).type)[0].as_py(), *row[2:])
            for number, row in self.rows.items()
        }

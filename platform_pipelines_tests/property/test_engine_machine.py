"""Whatever is done to a pipeline, in whatever order: append holds each version once, merge equals the source."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from platform_pipelines import duck
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.engine import RunRequest, reset, run
from platform_pipelines.engine.project import Project
from platform_pipelines.errors import ConnectError
from platform_pipelines.model import DELETED_AT, Page
from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines.store import Store
from platform_pipelines_tests.examples import examples, played

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.engine import RunReport
    from platform_pipelines.model import Load, Receipt, Stream, Window

LAG = 2
REGIONS = ("eu", "us")
SCHEMA = pa.schema([("id", pa.int64()), ("at", pa.int64()), ("v", pa.string()), ("region", pa.string())])
Version = tuple[int, int | None, str]
#: when a destination breaks: not at all, before it commits, or after, before anyone hears of it
Break = Literal["no", "before", "after"]


class Paged(MemoryConnector):
    """A page for each row; breaks off behind ``pages``."""

    pages: int | None = None

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:
        rows = next(super().read(stream, window, None)).batches[0]
        begin = resume or 0
        if begin >= rows.num_rows:
            yield Page((rows.slice(0, 0),))
        for place in range(begin, rows.num_rows):
            if self.pages is not None and place - begin >= self.pages:
                msg = "The line is dead."
                raise ConnectError(msg)
            yield Page((rows.slice(place, 1),), resume=place + 1)


class Breaking(MemoryConnector):
    """Tables in memory that break, before or after they are loaded."""

    breaks: Break = "no"

    def load(self, load: Load, batches: pa.RecordBatchReader) -> Receipt:
        receipt = super().load(load, batches) if self.breaks != "before" else None
        if self.breaks != "no" or receipt is None:
            msg = "The destination is gone."
            raise ConnectError(msg)
        return receipt


@dataclass
class Expected:
    """What one feed has landed in its epoch, and what the source looked like when it did."""

    landed: list[Version] = field(default_factory=list)
    known: dict[int, Version] = field(default_factory=dict)
    merged: dict[int, Version] = field(default_factory=dict)
    gone: dict[int, Version] = field(default_factory=dict)
    anew: bool = True

    @property
    def low(self) -> int | None:
        """Where the next read begins."""
        seen = [at for _, at, _ in self.known.values() if at is not None]
        return None if self.anew or not seen else max(seen) - LAG

    def land(self, rows: dict[int, Version]) -> None:
        """Every version that was not there at the last read."""
        low = self.low
        if self.anew:
            self.landed, self.known, self.merged, self.gone, self.anew = [], {}, {}, {}, False
        met = {n: row for n, row in rows.items() if low is None or row[1] is None or row[1] >= low}
        self.landed += [row for n, row in met.items() if self.known.get(n) != row]
        self.known |= met
        self.merge(met)

    def merge(self, rows: dict[int, Version]) -> None:
        """The newest version of each key."""
        self.merged |= rows

    def forget(self, rows: dict[int, Version]) -> None:
        """Keys that the source does not have any more; none comes back."""
        self.gone |= {number: row for number, row in self.merged.items() if number not in rows}
        self.merged = {number: row for number, row in self.merged.items() if number in rows}


class Engine(RuleBasedStateMachine):
    """One pipeline; its source and destinations change, break and come late."""

    @initialize(partitioned=st.booleans(), mode=st.sampled_from(["append", "merge", "hard", "soft"]))
    def begin(self, *, partitioned: bool, mode: str) -> None:
        played("whole runs that break, and destinations that come late")
        self.root = Path(tempfile.mkdtemp())
        self.space = self.root.name
        self.partitioned, self.appending = partitioned, mode == "append"
        self.action = mode if mode in {"hard", "soft"} else None
        self.rows: dict[int, Version] = {}
        self.highest: dict[int, int] = {}
        self.count = 0
        self.feeds = {key: Expected() for key in (REGIONS if partitioned else ("all",))}
        self.targets = {"first"}

    def teardown(self) -> None:
        MemoryConnector.clear(self.space)
        shutil.rmtree(self.root, ignore_errors=True)

    # the source

    @rule(region=st.sampled_from(REGIONS), step=st.none() | st.integers(0, LAG + 3), value=st.sampled_from("ab"))
    def insert(self, region: str, step: int | None, value: str) -> None:
        number = 2 * self.count + REGIONS.index(region)
        self.count += 1
        low = self._feed(number).low or 0
        self._put(number, None if step is None else low + step, value)

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), step=st.none() | st.integers(0, LAG + 3), value=st.sampled_from("ab"))
    def update(self, data: st.DataObject, step: int | None, value: str) -> None:
        """A new version, no older than the last one; it may be of the same instant, or lose its cursor."""
        number = data.draw(st.sampled_from(sorted(self.rows)))
        at, low = self.rows[number][1], self._feed(number).low or 0
        if step is None:
            self._put(number, None, value)
        elif at is None:  # a cursor that it had before would pass for the version of that time
            self._put(number, max(self.highest.get(number, -1) + 1, low) + step, value)
        else:
            self._put(number, max(at, low) + step, value)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Gone at the source; a destination learns of it from the keys, or from the next full refresh."""
        del self.rows[data.draw(st.sampled_from(sorted(self.rows)))]

    # the pipeline

    @rule(name=st.sampled_from(["duckdb", "folder"]))
    def add_destination(self, name: str) -> None:
        self.targets.add(name)

    @precondition(lambda self: any(feed.known for feed in self.feeds.values()))
    @rule()
    def reset(self) -> None:
        reset(self._project(), "p", token="pt-reset")  # noqa: S106 - a run's token
        for feed in self.feeds.values():
            feed.anew = True

    @rule(
        data=st.data(),
        full=st.booleans(),
        pages=st.none() | st.integers(0, 3),
        breaks=st.sampled_from(["no", "no", "before", "after"]),
    )
    def run(self, data: st.DataObject, *, full: bool, pages: int | None, breaks: Break) -> None:
        """A run; its read may break off and be taken up, its first destination may break."""
        keys = None
        if self.partitioned:
            keys = tuple(data.draw(st.lists(st.sampled_from(REGIONS), min_size=1, unique=True)))
        if pages is not None:
            self._run(self._project(pages=pages), full_refresh=full, partitions=keys)
        chosen = [self.feeds[key] for key in keys or self.feeds]
        if full and pages is None:
            for feed in chosen:
                feed.anew = True
        self._land(keys, full=full, pages=pages, breaks=breaks)
        if breaks != "no":
            return
        self._check(keys)

    @precondition(lambda self: not self.appending and not self.partitioned and not self.feeds["all"].anew)
    @rule(begin=st.integers(0, 10), size=st.integers(1, 5))
    def window(self, begin: int, size: int) -> None:
        report = self._run(self._project(), window_from=str(begin), window_to=str(begin + size))
        assert report.error is None
        self.feeds["all"].merge(
            {n: row for n, row in self.rows.items() if row[1] is None or begin <= row[1] < begin + size}
        )
        self._check(None)

    # how it is done

    def _land(self, keys: tuple[str, ...] | None, *, full: bool, pages: int | None, breaks: Break) -> None:
        chosen = [self.feeds[key] for key in keys or self.feeds]
        if full and pages is not None:
            # the refresh that broke off is taken up by the plain run behind it, or was complete already
            for feed in chosen:
                feed.anew = True
        report = self._run(self._project(breaks=breaks), full_refresh=full and pages is None, partitions=keys)
        for key in keys or self.feeds:
            rows = {n: row for n, row in self.rows.items() if self._feed(n) is self.feeds[key]}
            self.feeds[key].land(rows)
            if self.action:
                self.feeds[key].forget(rows)
        if breaks == "no":
            assert report.error is None

    def _put(self, number: int, at: int | None, value: str) -> None:
        self.rows[number] = (number, at, value)
        if at is not None:
            self.highest[number] = max(self.highest.get(number, at), at)

    def _feed(self, number: int) -> Expected:
        return self.feeds[REGIONS[number % 2]] if self.partitioned else self.feeds["all"]

    def _run(self, project: Project, **request: Any) -> RunReport:
        rows = [(*row, REGIONS[row[0] % 2]) for row in self.rows.values()]
        columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
        MemoryConnector.put("rows", pa.table(columns, schema=SCHEMA), self.space)
        return run(project, RunRequest("p", **request))

    def _check(self, keys: tuple[str, ...] | None) -> None:
        chosen = [self.feeds[key] for key in keys or self.feeds]
        if self.appending:
            expected = Counter((*row, False) for feed in chosen for row in feed.landed)
        else:
            expected = Counter((*row, False) for feed in chosen for row in feed.merged.values())
        if self.action == "soft":
            expected += Counter((*row, True) for feed in chosen for row in feed.gone.values())
        for name in self.targets:
            found = Counter(row for row in self._loaded(name) if self._feed(row[0]) in chosen)
            assert found == expected, name

    def _loaded(self, name: str) -> list[tuple[int, int | None, str, bool]]:
        """Rows, and whether they are marked as deleted."""
        if name == "first":
            rows = MemoryConnector(space=self.space)._stored("first").to_pylist()
            return [(row["id"], row["at"], row["v"], row.get(DELETED_AT) is not None) for row in rows]
        with duck.connect(self.root / "out.duckdb" if name == "duckdb" else None) as connection:
            files = list((self.root / "lake" / "folder").glob("*.parquet"))
            if name == "folder" and not files:
                return []
            listed = ", ".join(duck.literal(str(path)) for path in files)
            source = "duckdb" if name == "duckdb" else f"read_parquet([{listed}])"
            mark = f"{DELETED_AT} is not null" if self.action == "soft" else "false"
            return connection.execute(f'select id, "at", v, {mark} from {source}').fetchall()

    def _project(self, *, pages: int | None = None, breaks: Break = "no") -> Project:
        config: dict[str, Any] = {
            "name": "p",
            "source": {
                "connector": "source",
                "stream": "rows",
                "mode": "incremental",
                "cursor": {"field": "at", "lag": f"{LAG}s", "on_missing": "include"},
                "checkpoint_pages": 1,
            },
            "destinations": [
                {"name": name, "connector": name, "table": name}
                | ({"mode": "append"} if self.appending else {"mode": "merge", "key": ["id"]})
                for name in sorted(self.targets)
            ],
        }
        if self.action:
            config["source"]["deletes"] = {"detect": "key_difference", "max_share": 1, "action": self.action}
        if self.partitioned:
            config["partitions"] = {"by": "value", "field": "region", "values": list(REGIONS)}
        connectors: dict[str, Connector] = {
            "source": Paged(space=self.space, pages=pages),
            "first": Breaking(space=self.space, breaks=breaks),
            "duckdb": DuckDBConnector(type="duckdb", path=self.root / "out.duckdb"),
            "folder": FilesConnector(type="files", root=str(self.root / "lake"), format="parquet"),
        }
        declared = {name: ConnectorSpec(name, each.type, {}, None, None) for name, each in connectors.items()}
        catalog = Catalog(self.root, self.root, declared)
        spec = pipeline_from_config(config, catalog, capabilities)
        catalog = Catalog(self.root, self.root, declared, {"p": spec})
        return Project(catalog, Store("store", self.root), self.root, connectors)


TestEngine = Engine.TestCase
TestEngine.settings = settings(max_examples=examples(50), stateful_step_count=20, deadline=None)

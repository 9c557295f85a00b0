"""Whatever is rejected, refused, replayed and deleted, in whatever order: at the end each destination has what the source has.

Rules and an API turn rows away for a while; rows change and go meanwhile, and
dead letters come back at any moment.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_pipelines import duck
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.http import HttpConnector
from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.engine import RunRequest, dead_letters, replay_dead_letters, run
from platform_pipelines.engine.project import Project
from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines.store import Store
from platform_pipelines_tests.api_sink import Sink
from platform_pipelines_tests.examples import examples, played

Deletes = Literal["none", "field", "difference"]
Step = tuple[str, int, str]
SCHEMA = pa.schema([("id", pa.int64()), ("at", pa.int64()), ("v", pa.string()), ("gone", pa.string())])
DESTINATIONS = ("api", "warehouse", "lake")
KEYS = st.integers(1, 3)
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, st.sampled_from(["good", "bad", "unfit"])),
    st.tuples(st.just("put"), KEYS, st.sampled_from(["good", "bad", "unfit"])),
    st.tuples(st.just("delete"), KEYS, st.sampled_from(["good", "bad"])),
    st.tuples(st.sampled_from(["run", "run", "run", "replay", "rule", "api", "tick"]), st.just(0), st.just("")),
)


class World:
    """A table, and a pipeline from it into an API, a database and a folder."""

    def __init__(self, root: Path, sink: Sink, deletes: Deletes) -> None:
        self.root, self.sink, self.deletes = root, sink, deletes
        self.rows: dict[int, tuple[int, int, str, str | None]] = {}
        self.clock = 0  # versions of one instant are ties
        self.ruled = self.refusing = True

    def do(self, step: Step) -> None:
        what, key, value = step
        if what == "tick":
            self.clock += 1
        elif what == "put":
            self.rows[key] = (key, self.clock, value, None)
        elif what == "delete" and self.deletes == "field" and key in self.rows:
            self.rows[key] = (key, self.clock, value, "now")
        elif what == "delete" and self.deletes == "difference":
            self.rows.pop(key, None)
        elif what == "rule":
            self.ruled = not self.ruled
        elif what == "api":
            self.refusing = not self.refusing
        elif what in {"run", "replay"}:
            self.go(replay=what == "replay")

    def go(self, *, replay: bool) -> None:
        columns = list(zip(*self.rows.values(), strict=True)) or [()] * len(SCHEMA)
        MemoryConnector.put("rows", pa.table([list(each) for each in columns], schema=SCHEMA), self.root.name)
        self.sink.refuses = lambda record: "no" if self.refusing and record["v"] == "unfit" else None
        report = replay_dead_letters(self.project(), "p") if replay else run(self.project(), RunRequest("p"))
        assert report.error is None, report.error

    def project(self) -> Project:
        source: dict[str, Any] = {
            "connector": "source",
            "stream": "rows",
            "mode": "incremental",
            "cursor": {"field": "at"},
        }
        if self.deletes == "field":
            source["deletes"] = {"field": "gone", "action": "hard"}
        elif self.deletes == "difference":
            source["deletes"] = {"detect": "key_difference", "max_share": 1, "action": "hard"}
        rule = {"id": "fit", "type": "accepted", "field": "v", "values": ["good", "unfit"], "severity": "error"}
        config = {
            "name": "p",
            "source": source,
            "quality": {"rules": [rule] if self.ruled else []},
            "destinations": [
                {"name": name, "connector": name, "table": "rows", "mode": "merge", "key": ["id"]} for name in DESTINATIONS
            ],
        }  # fmt: skip
        connectors: dict[str, Any] = {
            "source": MemoryConnector(space=self.root.name),
            "api": HttpConnector(
                base_url=self.sink.api.url,
                state=str(self.root / "state"),
                tables={"rows": {"path": "/contacts/{id}"}},
            ),
            "warehouse": DuckDBConnector(type="duckdb", path=self.root / "out.duckdb"),
            "lake": FilesConnector(type="files", root=str(self.root / "lake"), format="parquet"),
        }
        declared = {name: ConnectorSpec(name, each.type, {}, None, None) for name, each in connectors.items()}
        spec = pipeline_from_config(config, Catalog(self.root, self.root, declared), capabilities)
        catalog = Catalog(self.root, self.root, declared, {"p": spec})
        return Project(catalog, Store("store", self.root), self.root, connectors)

    def loaded(self, name: str) -> dict[int, str]:
        if name == "api":
            return {record["id"]: record["v"] for record in self.sink.stored.values()}
        with duck.connect(self.root / "out.duckdb" if name == "warehouse" else None) as connection:
            files = [str(path) for path in (self.root / "lake" / "rows").glob("*.parquet")]
            source = "rows" if name == "warehouse" else f"read_parquet({files})"
            if name == "lake" and not files:
                return {}
            return dict(connection.execute(f"select id, v from {source}").fetchall())


@given(deletes=st.sampled_from(["none", "field", "difference"]), steps=st.lists(STEPS, min_size=4, max_size=14))
@settings(max_examples=examples(25), deadline=None)
def test_every_destination_ends_with_what_the_source_has(deletes: Deletes, steps: list[Step]) -> None:
    played("replays, DuckDB, Parquet and an API")
    with tempfile.TemporaryDirectory() as name, Sink() as sink:
        world = World(Path(name), sink, deletes)
        world.do(("put", 1, "good"))
        world.go(replay=False)
        for step in steps:
            world.do(step)
        world.ruled = world.refusing = False
        for replay in (False, True, False):  # a key that was never loaded is found gone only behind its replay
            world.go(replay=replay)
        assert dead_letters(world.project(), "p") == []
        expected = {key: v for key, _, v, gone in world.rows.values() if gone is None}
        assert {each: world.loaded(each) for each in DESTINATIONS} == dict.fromkeys(DESTINATIONS, expected)
        MemoryConnector.clear(world.root.name)

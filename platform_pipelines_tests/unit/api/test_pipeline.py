from __future__ import annotations

import datetime as dt
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import platform_pipelines
from platform_pipelines import BatchResult, Callbacks, Pipeline, RecordError
from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.errors import SpecError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

PEOPLE = [{"id": 1, "name": "Ada"}, {"id": 2, "name": None}, {"id": 3, "name": "Grace"}]


@pytest.fixture
def space() -> str:
    """A space in memory of this test alone."""
    return uuid.uuid4().hex


@pytest.fixture
def make(tmp_path: Path, space: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Pipeline]:
    """Makes a pipeline that is given its rows and loads them into memory by id."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PIPELINES_STORE", raising=False)

    def build(**changes: Any) -> Pipeline:
        config = {
            "name": "people",
            "quality": {"rules": [{"id": "named", "type": "required", "fields": ["name"]}]},
            "destinations": [destination(space)],
        }
        return Pipeline.from_config({**config, **changes}, store=tmp_path / "store")

    return build


def destination(space: str, **changes: Any) -> dict[str, Any]:
    connector = {"type": "memory", "space": space}
    return {"name": "out", "connector": connector, "table": "people", "mode": "merge", "key": ["id"]} | changes


def loaded(space: str) -> list[dict[str, Any]]:
    return sorted(MemoryConnector(space=space).table("people").to_pylist(), key=lambda row: row["id"])


def test_a_result_says_what_became_of_every_record(make: Callable[..., Pipeline], space: str) -> None:
    result = make().run(PEOPLE)
    assert result.status == "success"
    assert (result.total, result.success_count, result.error_count) == (3, 2, 1)
    assert result.ids == [1, 3]
    (error,) = result.errors
    assert isinstance(error, RecordError)
    assert (error.record, error.rule) == ({"id": 2, "name": None}, "named")
    assert error.error
    assert result.success_rate == pytest.approx(2 / 3)
    assert result.elapsed_seconds > 0
    assert result.records_per_second == pytest.approx(3 / result.elapsed_seconds)
    assert result.token.startswith("pt-")
    assert repr(result).startswith("RunResult(status='success', total=3, success_count=2, error_count=1,")
    assert loaded(space) == [PEOPLE[0], PEOPLE[2]]


def test_each_call_adds_to_the_ones_before(make: Callable[..., Pipeline], space: str) -> None:
    pipeline = make()
    pipeline.run(PEOPLE[:1])
    result = pipeline.run([{"id": 1, "name": "Ada L."}, {"id": 4, "name": "Edsger"}])
    assert result.ids == [1, 4]
    assert [row["name"] for row in loaded(space)] == ["Ada L.", "Edsger"]


@pytest.mark.parametrize(
    "rows",
    [
        PEOPLE,
        tuple(PEOPLE),
        iter(PEOPLE),
        pa.Table.from_pylist(PEOPLE),
        pd.DataFrame(PEOPLE, index=[7, 8, 9]),
    ],
    ids=["list", "tuple", "iterator", "arrow", "pandas"],
)
def test_rows_may_come_in_many_forms(make: Callable[..., Pipeline], space: str, rows: Any) -> None:
    assert make().run(rows).ids == [1, 3]
    assert loaded(space) == [PEOPLE[0], PEOPLE[2]]


def test_values_keep_their_types(make: Callable[..., Pipeline], space: str) -> None:
    row = {"id": 2**62, "name": "x", "at": dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC), "tags": ["a", None]}
    make().run([row])
    assert loaded(space) == [row]


def test_no_rows_is_a_run_too(make: Callable[..., Pipeline]) -> None:
    pipeline = make()
    pipeline.run(PEOPLE)
    result = pipeline.run(pa.Table.from_pylist(PEOPLE)[:0])
    assert (result.total, result.error_count, result.success_rate, result.ids) == (0, 0, 1.0, [])


def test_rows_are_needed_where_no_source_is_declared(make: Callable[..., Pipeline]) -> None:
    with pytest.raises(UsageError, match=r"Pipeline `people` declares no source. Give the rows: `run\(data=\["):
        make().run()


def test_rows_take_the_place_of_a_declared_source(make: Callable[..., Pipeline], space: str, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,name\n9,Alan\n")
    source = {"connector": {"type": "files", "root": ".", "format": "csv"}, "stream": "people.csv"}
    pipeline = make(source=source)
    assert pipeline.run().ids == [9]
    assert pipeline.run(PEOPLE).ids == [1, 3]
    assert [row["id"] for row in loaded(space)] == [1, 3], "a full refresh replaces what was loaded"


def test_a_connector_may_be_source_and_destination(tmp_path: Path, space: str) -> None:
    pipeline = Pipeline.from_config(
        {
            "name": "copy",
            "source": {"connector": "both", "stream": "old"},
            "destinations": [{"connector": "both", "table": "people", "mode": "merge", "key": ["id"]}],
        },
        connectors={"both": {"type": "memory", "space": space}},
        store=tmp_path,
    )
    assert pipeline.run(PEOPLE).ids == [1, 2, 3]
    assert loaded(space) == PEOPLE


def test_the_short_form_is_accepted(tmp_path: Path, space: str) -> None:
    MemoryConnector.put("old", PEOPLE, space)
    pipeline = Pipeline.from_config(
        {
            "name": "short",
            "source": {"name": "memory", "stream": "old", "authentication": {"params": {"space": space}}},
            "destination": {"name": "logger", "config": {}},
        },
        store=tmp_path,
    )
    result = pipeline.run()
    assert (result.status, result.success_count, result.ids) == ("success", 3, [])


def test_several_key_columns_make_tuples(make: Callable[..., Pipeline], space: str) -> None:
    result = make(destinations=[destination(space, key=["id", "name"])]).run(PEOPLE)
    assert result.ids == [(1, "Ada"), (3, "Grace")]


def test_a_closed_gate_is_a_result(make: Callable[..., Pipeline]) -> None:
    quality = {"rules": [{"id": "named", "type": "required", "fields": ["name"]}], "gate": {"max_rejected": 0}}
    pipeline = make(quality=quality)
    result = pipeline.run(PEOPLE)
    assert (result.status, result.success_count, result.ids) == ("gate_closed", 0, [])
    assert result.errors[-1].record is None
    assert "gate" in result.errors[-1].error
    released = pipeline.run(decision="release", data=[])
    assert (released.status, released.ids) == ("success", [1, 3])


def test_a_failure_is_a_result_without_a_record(tmp_path: Path) -> None:
    pipeline = Pipeline.from_config(
        {
            "name": "away",
            "destinations": [{"connector": {"type": "postgres", "dsn": "postgresql://u:hidden-word@127.0.0.1:1/d"}}],
        },
        store=tmp_path,
    )
    result = pipeline.run(PEOPLE)
    assert (result.status, result.success_count, result.success_rate) == ("failed", 0, 0.0)
    (error,) = result.errors
    assert error.record is None
    assert "hidden-word" not in error.error


def test_a_later_run_loads_what_an_earlier_one_landed(make: Callable[..., Pipeline], tmp_path: Path) -> None:
    connector = {"type": "duckdb", "path": "w.duckdb"}
    pipeline = make(destinations=[{"connector": connector, "table": "people", "mode": "merge", "key": ["id"]}])
    (tmp_path / "w.duckdb").mkdir()
    assert pipeline.run(PEOPLE).ids == []
    (tmp_path / "w.duckdb").rmdir()
    assert pipeline.run([{"id": 4, "name": "Edsger"}]).ids == [1, 3, 4]
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        assert connection.execute("select id from people order by id").fetchall() == [(1,), (3,), (4,)]


def test_a_misspelt_key_is_refused() -> None:
    with pytest.raises(SpecError, match="destinatons"):
        Pipeline.from_config({"name": "x", "destinatons": []})
    with pytest.raises(SpecError, match="Connector `c`"):
        Pipeline.from_config({"name": "x", "destinations": [{"connector": "c"}]}, connectors={"c": {"type": "memry"}})


def test_from_yaml_finds_the_connectors_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "defs/sales").mkdir(parents=True)
    (tmp_path / "defs/connectors.yaml").write_text(
        "drops: {type: files, root: in, format: csv}\nwarehouse: {type: duckdb, path: w.duckdb}\n"
    )
    path = tmp_path / "defs/sales/orders.yaml"
    path.write_text(
        "name: orders\nsource: {connector: drops, stream: orders.csv}\n"
        "destinations: [{connector: warehouse, mode: merge, key: [id]}]\n"
    )
    (tmp_path / "defs/broken.yaml").write_text("name: [")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/orders.csv").write_text("id\n5\n6\n")
    pipeline = Pipeline.from_yaml(path, store=tmp_path / "store")
    assert (pipeline.name, repr(pipeline)) == ("orders", "Pipeline('orders')")
    assert pipeline.run().ids == [5, 6]
    with pytest.raises(SpecError, match="cannot be read"):
        Pipeline.from_yaml(tmp_path / "defs/none.yaml")


def test_state_lies_where_the_environment_says(space: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_STORE", str(tmp_path / "elsewhere"))
    Pipeline.from_config({"name": "people", "destinations": [destination(space)]}).run(PEOPLE)
    assert (tmp_path / "elsewhere" / "people").is_dir()


def test_partitions_and_windows(make: Callable[..., Pipeline], space: str) -> None:
    rows = [{"id": n, "name": "x", "at": dt.datetime(2026, 1, n, tzinfo=dt.UTC)} for n in (1, 2, 3)]
    source = {
        "connector": {"type": "memory", "space": space},
        "stream": "days",
        "mode": "incremental",
        "cursor": {"field": "at"},
    }
    days = {"by": "day", "field": "at", "start": "2026-01-01", "end": "2026-01-04"}
    pipeline = make(source=source, partitions=days)
    assert pipeline.run(rows, partitions=["2026-01-02"]).ids == [2]
    result = pipeline.run(rows, window=("2026-01-01", "2026-01-03"))
    assert result.report.partitions == ("2026-01-01", "2026-01-02")
    assert result.ids == [1]


class Told:
    """Remembers what callbacks were told, in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def record_start(self, record: Any) -> None:
        self.heard.append(("start", record["id"]))

    def record_success(self, record: Any) -> None:
        self.heard.append(("success", record["id"]))

    def record_error(self, record: Any, error: str) -> None:
        self.heard.append(("error", record["id"], error.partition(":")[0]))

    def batch_complete(self, batch: BatchResult) -> None:
        self.heard.append(("batch", batch))


@pytest.mark.parametrize("form", ["object", "callbacks", "mapping"])
def test_callbacks_hear_of_every_record_and_batch(make: Callable[..., Pipeline], form: str) -> None:
    told = Told()
    names = ("record_start", "record_success", "record_error", "batch_complete")
    methods = {name: getattr(told, name) for name in names}
    given = {"object": told, "callbacks": Callbacks(**methods), "mapping": methods}[form]
    make().run(PEOPLE, callbacks=given)
    assert told.heard == [
        ("start", 1),
        ("start", 2),
        ("start", 3),
        ("success", 1),
        ("success", 3),
        ("error", 2, "named"),
        ("batch", BatchResult(None, "1/1", "loaded", rows_in=3, rows_out=2, filtered=0, rejected=1)),
    ]


def test_callbacks_hear_that_a_batch_is_held(make: Callable[..., Pipeline]) -> None:
    quality = {"rules": [{"id": "named", "type": "required", "fields": ["name"]}], "gate": {"max_rejected": 0}}
    told = Told()
    make(quality=quality).run(PEOPLE, callbacks=told)
    assert [each[0] for each in told.heard] == ["start", "start", "start", "batch"]
    assert told.heard[-1][1].status == "held"


def test_callbacks_hear_of_partitions_one_after_the_other(make: Callable[..., Pipeline], space: str) -> None:
    told = Told()
    rows = [{"id": n, "name": "x", "region": region} for n, region in enumerate(("eu", "us", "eu"), 1)]
    source = {"connector": {"type": "memory", "space": space}, "stream": "regions", "mode": "full_refresh"}
    pipeline = make(source=source, partitions={"by": "value", "field": "region", "values": ["eu", "us"]})
    pipeline.run(rows, callbacks=told)
    assert [each[1] if each[0] != "batch" else each[1].partition for each in told.heard] == [
        1, 3, 1, 3, "eu", 2, 2, "us"]  # fmt: skip


def test_a_callback_that_raises_does_not_harm_the_run(make: Callable[..., Pipeline], space: str) -> None:
    def fail(record: Any) -> None:
        msg = f"no patience for {record['id']}"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="no patience for 1"):
        make().run(PEOPLE, callbacks={"record_start": fail})
    assert [row["id"] for row in loaded(space)] == [1, 3]


@pytest.mark.parametrize("given", [{"record_strat": print}, object()])
def test_unknown_callbacks_are_refused(make: Callable[..., Pipeline], given: Any) -> None:
    with pytest.raises(UsageError, match="Allowed: record_start, record_success, record_error, batch_complete"):
        make().run(PEOPLE, callbacks=given)


def test_the_public_names() -> None:
    assert {"BatchResult", "Callbacks", "Pipeline", "RecordError", "RunResult"} <= set(platform_pipelines.__all__)
    assert all(getattr(platform_pipelines, name).__name__ == name for name in platform_pipelines.__all__)
    assert dir(platform_pipelines) == sorted(platform_pipelines.__all__)
    with pytest.raises(AttributeError, match="Pipelin"):
        _ = platform_pipelines.Pipelin  # type: ignore[attr-defined]


def test_importing_the_api_imports_neither_dagster_nor_anything_heavy() -> None:
    heavy = ("dagster", "pandas", "pandera", "duckdb", "pyarrow")
    script = f"import sys; from platform_pipelines import Pipeline; print([m for m in {heavy!r} if m in sys.modules])"
    root = Path(platform_pipelines.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Schema changes of files that are appended or replaced: the same for every format, with every row accounted for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from platform_pipelines.api.pipeline import Pipeline
from platform_pipelines.connectors.registry import open_connector
from platform_pipelines.model import Stream, Window
from platform_pipelines.spec import ConnectorSpec

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]
TARGETS: dict[str, Row] = {"duck": {"type": "duckdb", "path": "w.duckdb"}, "lake": {"type": "files", "root": "lake"}}


@dataclass(frozen=True)
class Change:
    """What becomes of a file's columns between two runs.

    Attributes:
        name: of the case.
        before: the columns beside the id, in the first run.
        after: likewise in the second.
        kept: what row 1 looks like once row 2 is appended.
        came: what rows of the second run look like; None where they are rejected.
        contract: what the pipeline allows beside the defaults.
        refused: the formats and modes of which the run ends in an error, as patterns.
    """

    name: str
    before: Row
    after: Row
    kept: Row
    came: Row | None
    contract: dict[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


CHANGES = (
    Change("added", {"v": 1}, {"v": 2, "w": "x"}, {"v": 1, "w": None}, {"v": 2, "w": "x"}),
    Change("added, ignored", {"v": 1}, {"v": 2, "w": "x"}, {"v": 1}, {"v": 2}, {"new_columns": "ignore"}),
    Change("dropped", {"v": 1, "w": "x"}, {"w": "y"}, {"v": 1, "w": "x"}, {"v": None, "w": "y"}, {"missing_columns": "null"}),
    # of all files together, no column is missing
    Change("dropped, refused", {"v": 1, "w": "x"}, {"w": "y"}, {"v": 1, "w": "x"}, {"v": None, "w": "y"}, refused=("* replace",)),
    # text becomes a decimal, which holds all integers; a file of doubles does not
    Change("widened", {"v": 1}, {"v": 2.5}, {"v": 1}, {"v": 2.5}, refused=("parquet *",)),
    Change("widened, refused", {"v": 1}, {"v": 2.5}, {"v": 1}, {"v": 2.5}, {"type_changes": "fail"}, ("*",)),
    # a file alone of integers of 64 bits is of another type, which doubles do not hold
    Change("narrowed", {"v": 2.5}, {"v": 1}, {"v": 2.5}, {"v": 1}, refused=("parquet replace",)),
    Change("another type", {"v": 1}, {"v": "abc"}, {"v": 1}, None, refused=("parquet *",)),
    Change("in another order", {"v": 1, "w": "x"}, {"w": "y", "v": 2}, {"v": 1, "w": "x"}, {"v": 2, "w": "y"}),
)  # fmt: skip


def write(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".csv":
        pc.write_csv(pa.Table.from_pylist(rows), path)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)


def pipeline(file_format: str, mode: str, contract: dict[str, str], key: tuple[str, ...] = ()) -> Pipeline:
    source: Row = {"connector": "drops", "stream": f"*.{file_format}", "mode": "full_refresh"}
    if mode != "replace":
        source |= {"mode": "incremental", "cursor": {"field": "id"}}
    config = {
        "name": "p",
        "source": source,
        "quality": {"gate": {"max_rejected_share": 1}, "schema_contract": contract},
        "destinations": [
            {"connector": name, "table": "t", "mode": mode} | ({"key": list(key)} if key else {}) for name in TARGETS
        ],
    }
    connectors = TARGETS | {"drops": {"type": "files", "root": "in", "format": file_format}}
    return Pipeline.from_config(config, connectors=connectors, store="store")


def contents(root: Path) -> dict[str, list[Row]]:
    found = {}
    for name, target in TARGETS.items():
        connector: Any = open_connector(ConnectorSpec(name, target["type"], target), root)
        batches = [b for page in connector.read(Stream("t"), Window(), None) for b in page.batches]
        rows = pa.Table.from_batches(batches).to_pylist()
        plain = [{key: value for key, value in row.items() if not key.startswith("_pipelines")} for row in rows]
        found[name] = sorted(plain, key=lambda row: row["id"])
    return found


@pytest.mark.parametrize("mode", ["append", "replace"])
@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_between_two_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, file_format: str, mode: str
) -> None:
    monkeypatch.chdir(tmp_path)
    drop = tmp_path / f"in/a.{file_format}"
    write(drop, [{"id": 1} | change.before])
    made = pipeline(file_format, mode, change.contract)
    assert made.run().status == "success"
    if mode == "append":
        write(drop.with_stem("b"), [{"id": 2} | change.after])
    else:  # the file is written anew, with both rows
        write(drop, [{"id": 1} | change.after, {"id": 2} | change.after])
    done = made.run()
    first = [{"id": 1} | change.before]
    if any(fnmatch(f"{file_format} {mode}", pattern) for pattern in change.refused):
        assert done.status == "failed"
        assert contents(tmp_path) == dict.fromkeys(TARGETS, first)
        return
    assert done.status == "success", [str(error) for error in done.report.errors]
    came = [] if change.came is None else [{"id": 2} | change.came]
    if mode == "append":
        came = [{"id": 1} | change.kept, *came]
    elif change.came is not None:
        came = [{"id": 1} | change.came, *came]
    assert contents(tmp_path) == dict.fromkeys(TARGETS, came)
    report = done.report
    for each in report.destinations.values():
        assert each.rows == report.read - report.rejected - report.filtered - report.deduplicated


@pytest.mark.parametrize("key", [("code",), ("id", "code")])
@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
def test_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str, key: tuple[str, ...]) -> None:
    """A new epoch replaces what the old key had loaded; what comes then is merged by the new one."""
    monkeypatch.chdir(tmp_path)
    drop = tmp_path / f"in/a.{file_format}"
    write(drop, [{"id": 1, "code": "a"}, {"id": 2, "code": "b"}])
    assert pipeline(file_format, "merge", {}, ("id",)).run().status == "success"
    rows: list[Row] = [{"id": 1, "code": "a"}, {"id": 2, "code": "b"}, {"id": 3, "code": "c"}]
    write(drop, rows)
    made = pipeline(file_format, "merge", {}, key)
    done = made.run(full_refresh=True)
    assert done.status == "success", [str(error) for error in done.report.errors]
    assert contents(tmp_path) == dict.fromkeys(TARGETS, rows)
    newer = {**rows[2], "id": 4}  # the same row to the keys that leave the id out
    write(drop.with_stem("b"), [newer])
    assert made.run().status == "success"
    assert contents(tmp_path) == dict.fromkeys(TARGETS, [*rows, newer] if "id" in key else [*rows[:2], newer])

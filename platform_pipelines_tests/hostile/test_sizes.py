"""Very large fields, very wide tables, very many files: loaded whole, or refused with a reason and loaded once mended.

Sizes are those of a quick run; ``make sizes`` multiplies them, see ``SCALE``.
"""

from __future__ import annotations

import json
import os
import zipfile
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.api.pipeline import Pipeline
from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.connectors.registry import open_connector
from platform_pipelines.formats import workspace
from platform_pipelines.model import Stream, Window
from platform_pipelines.spec import ConnectorSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: 1 in the suite; ``make sizes`` sets 20: fields of 100 MB, 10,000 columns of CSV, a million files
SCALE = int(os.environ.get("PIPELINES_TEST_SCALE", "1"))
MEGABYTES = 5 * SCALE
#: more than share one DuckDB; 10,000 with ``make sizes``
COLUMNS = 500 * SCALE
FILES = 1_000 if SCALE == 1 else 50_000 * SCALE
Made = dict[str, Any]


@pytest.fixture(params=["duckdb", "postgres", "parquet"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.chdir(tmp_path)
    if request.param == "postgres":
        return {"type": "postgres", "dsn": request.getfixturevalue("postgres_database")}
    if request.param == "duckdb":
        return {"type": "duckdb", "path": "w.duckdb"}
    return {"type": "files", "root": "lake", "format": request.param}


def pipeline(source: Made, stream: str, target: Made, **more: Any) -> Pipeline:
    config = {
        "name": "p",
        "source": {"connector": "it", "stream": stream, **more},
        "destinations": [{"name": "out", "connector": "to", "table": "t", "mode": "append"}],
    }
    return Pipeline.from_config(config, connectors={"it": source, "to": target}, store="store")


def read(root: Path, target: Made) -> pa.Table:
    connector: Any = open_connector(ConnectorSpec("to", target["type"], target), root)
    return pa.Table.from_batches([b for page in connector.read(Stream("t"), Window(), None) for b in page.batches])


def as_csv(text: str) -> str:
    return f'id,text\n1,"{text}"\n2,small\n'


def as_json(text: str) -> str:
    return json.dumps([{"id": 1, "text": text}, {"id": 2, "text": "small"}])


def as_lines(text: str) -> str:
    return f'{json.dumps({"id": 1, "text": text})}\n{{"id": 2, "text": "small"}}\n'


@pytest.mark.parametrize(("written", "file_format"), [(as_csv, "csv"), (as_json, "json"), (as_lines, "jsonl")])
def test_one_field_is_very_large(tmp_path: Path, target: Made, written: Callable[[str], str], file_format: str) -> None:
    text = "äx\n" * (MEGABYTES * 1_000_000 // 4)
    (tmp_path / "in").mkdir()
    (tmp_path / f"in/a.{file_format}").write_text(written(text), encoding="utf-8")
    done = pipeline({"type": "files", "root": "in", "format": file_format}, f"a.{file_format}", target).run()
    assert done.status == "success", [str(error)[:500] for error in done.report.errors]
    found = {row["id"]: row["text"] for row in read(tmp_path, target).select(["id", "text"]).to_pylist()}
    assert found[2] == "small"
    assert found[1] == text


def test_very_many_columns(tmp_path: Path, target: Made) -> None:
    names = [f"c{n}" for n in range(COLUMNS)]
    (tmp_path / "in").mkdir()
    lines = [",".join(names), ",".join(str(n) for n in range(COLUMNS)), "," * (COLUMNS - 1)]
    (tmp_path / "in/a.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    made = pipeline({"type": "files", "root": "in", "format": "csv"}, "a.csv", target)
    done = made.run()
    if target["type"] == "postgres" and COLUMNS > 1_600:
        assert done.status == "failed"
        assert "allows 1600 columns" in str(done.report.errors[0])
        return
    assert done.status == "success", [str(error)[:500] for error in done.report.errors]
    found = read(tmp_path, target).select(names).to_pylist()
    assert sorted(([row["c7"], row[names[-1]]] for row in found), key=str) == [[7, COLUMNS - 1], [None, None]]


def test_very_many_columns_of_an_incremental_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows at the watermark come again, and are told by all their columns."""
    monkeypatch.chdir(tmp_path)
    wide = pa.table({"id": [1, 2, 2], **{f"c{n}": [n, n, -n] for n in range(3 * COLUMNS if SCALE == 1 else COLUMNS)}})
    MemoryConnector.put("rows", wide, "sizes")
    cursor = {"mode": "incremental", "cursor": {"field": "id"}}
    made = pipeline({"type": "memory", "space": "sizes"}, "rows", {"type": "files", "root": "lake"}, **cursor)
    assert (done := made.run()).status == "success", [str(error)[:500] for error in done.report.errors]
    last = len(wide.column_names) - 1
    more = wide.slice(2).set_column(last, wide.column_names[last], pa.array([7]))
    MemoryConnector.put("rows", pa.concat_tables([wide, more]), "sizes")
    done = made.run()
    assert (done.status, done.report.read, done.report.deduplicated) == ("success", 3, 2), done.report.error
    assert made.run().status == "nothing_new"


def test_parquet_of_very_many_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wide = pa.table({f"c{n}": [n, None] for n in range(4 * COLUMNS if SCALE == 1 else COLUMNS)})
    MemoryConnector.put("rows", wide, "sizes")
    target = {"type": "files", "root": "lake"}
    done = pipeline({"type": "memory", "space": "sizes"}, "rows", target).run()
    assert done.status == "success", [str(error)[:500] for error in done.report.errors]
    (file,) = (tmp_path / "lake/t").glob("*.parquet")
    assert pq.read_table(file).select(wide.column_names).to_pylist() == wide.to_pylist()
    again = pipeline(target, "t", {"type": "memory", "space": "sizes"}).run()
    assert again.status == "success", [str(error)[:500] for error in again.report.errors]


def test_as_many_columns_as_postgres_takes(
    tmp_path: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [f"c{n}" for n in range(1_600)]
    with psycopg.connect(postgres_database) as connection:
        connection.execute(f"create table wide ({', '.join(f'{name} text' for name in names)})".encode())
        connection.execute("insert into wide (c0, c1599) values ('a', 'z')")
    source = {"type": "postgres", "dsn": postgres_database}
    target = {"type": "files", "root": "lake"}
    done = pipeline(source, "public.wide", target).run()
    assert done.status == "success", [str(error)[:500] for error in done.report.errors]
    (row,) = read(tmp_path, target).select(names).to_pylist()
    assert {name: value for name, value in row.items() if value} == {"c0": "a", "c1599": "z"}


def test_more_columns_than_postgres_takes_are_refused_and_loaded_once_mended(
    tmp_path: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wide = pa.table({f"c{n}": [n] for n in range(1_700)})
    MemoryConnector.put("rows", wide, "sizes")
    target = {"type": "postgres", "dsn": postgres_database}
    done = pipeline({"type": "memory", "space": "sizes"}, "rows", target).run()
    assert done.status == "failed"
    assert "allows 1600 columns" in str(done.report.errors[0])
    config = {
        "name": "p",
        "source": {"connector": "it", "stream": "rows"},
        "transforms": [{"map": {"c1": "c1", "c1699": "c1699"}}],
        "destinations": [{"name": "out", "connector": "to", "table": "t", "mode": "append"}],
    }
    saved = {"it": {"type": "memory", "space": "sizes"}, "to": target}
    assert Pipeline.from_config(config, connectors=saved, store="store").run(full_refresh=True).status == "success"
    assert read(tmp_path, target).select(["c1", "c1699"]).to_pylist() == [{"c1": 1, "c1699": 1699}]


def test_very_many_tiny_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(FILES):
        folder = tmp_path / f"in/{number // 1_000}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.csv").write_text(f"id,n\n{number},1\n", encoding="utf-8")
    target = {"type": "files", "root": "lake"}
    source = {"type": "files", "root": "in", "format": "csv"}
    made = pipeline(source, "**/*.csv", target, mode="incremental", cursor={"field": "id"})
    assert made.run().success_count == FILES
    (tmp_path / "in/0/more.csv").write_text(f"id,n\n{FILES},1\n", encoding="utf-8")
    assert made.run().success_count == 1
    assert sorted(read(tmp_path, target).column("id").to_pylist()) == list(range(FILES + 1))


def test_a_zip_bomb_is_refused_and_its_feed_goes_on_once_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # what may be unpacked whatever its size: made small here, so that the bomb need not be large
    monkeypatch.setattr(workspace, "_FREE_BYTES", 1 << 16)
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in/a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("a.csv", "id\n" + "1\n" * 20_000_000)
    made = pipeline({"type": "files", "root": "in", "format": "csv"}, "*", {"type": "files", "root": "lake"})
    done = made.run()
    assert done.status == "failed"
    assert "taken for a decompression bomb" in str(done.report.errors[0])
    (tmp_path / "in/a.zip").unlink()
    (tmp_path / "in/a.csv").write_text("id\n1\n", encoding="utf-8")
    assert made.run().success_count == 1
    assert read(tmp_path, {"type": "files", "root": "lake"}).column("id").to_pylist() == [1]


def test_a_link_out_of_the_folder_of_a_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lake").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "lake/t").symlink_to(tmp_path / "elsewhere")
    MemoryConnector.put("rows", pa.table({"id": [1]}), "sizes")
    made = pipeline({"type": "memory", "space": "sizes"}, "rows", {"type": "files", "root": "lake"})
    done = made.run()
    assert done.status == "failed"
    assert "outside the root" in str(done.report.errors[0])
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (tmp_path / "lake/t").unlink()
    assert made.run().status == "success"
    assert read(tmp_path, {"type": "files", "root": "lake"}).column("id").to_pylist() == [1]

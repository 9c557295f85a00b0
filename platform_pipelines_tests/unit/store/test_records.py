from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

from platform_pipelines.store import Store, effects
from platform_pipelines.store.runs import new_token

if TYPE_CHECKING:
    from pathlib import Path


def test_tokens_sort_by_time_and_do_not_repeat() -> None:
    tokens = [new_token() for _ in range(200)]
    assert len(set(tokens)) == 200
    assert all(re.fullmatch(r"pt-[0-9a-hjkmnp-tv-z]{26}", token) for token in tokens)
    assert [t[:13] for t in tokens] == sorted(t[:13] for t in tokens)


def test_runs_are_found_by_token_and_by_pipeline(tmp_path: Path) -> None:
    runs = Store("s", tmp_path).runs
    assert runs.pipelines() == []
    assert runs.tokens("p") == []
    first, second = "pt-" + "0" * 26, "pt-" + "1" * 26
    runs.add("p", first, "begin", {"partitions": []})
    runs.add("p", first, "end", {"status": "success"})
    runs.add("q", second, "begin", {})
    assert runs.tokens("p") == [first]
    assert (runs.find(second), runs.find("pt-" + "2" * 26), runs.find("../p")) == ("q", None, None)
    entries = runs.entries("p", first)
    assert [entry.stage for entry in entries] == ["begin", "end"]
    assert entries[1].body == {"status": "success"}


def test_a_record_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    runs = Store("s", tmp_path).runs
    runs.add("p", "pt-" + "0" * 26, "begin", {})
    (next((tmp_path / "s" / "_runs" / "p").iterdir()) / "99999999999999999999-end.json").write_text('{"sta')
    assert [entry.stage for entry in runs.entries("p", "pt-" + "0" * 26)] == ["begin"]


def test_schema_versions_are_written_once_each(tmp_path: Path) -> None:
    schemas = Store("s", tmp_path).schemas("p")
    assert schemas.latest() is None
    first = pa.schema([("id", pa.int32())])
    schemas.record(first, "pt-1", "now")
    schemas.record(first, "pt-2", "now")
    assert schemas.versions() == [1]
    second = pa.schema([pa.field("id", pa.int64(), metadata={b"pg_type": b"bigint"})])
    schemas.record(second, "pt-3", "now")
    assert schemas.versions() == [1, 2]
    latest = schemas.latest()
    assert latest is not None
    assert latest.equals(second, check_metadata=True)


def test_create_if_absent_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    assert effects.create_if_absent(path, b"one")
    assert not effects.create_if_absent(path, b"two")
    assert path.read_bytes() == b"one"
    effects.replace(path, b"three")
    assert path.read_bytes() == b"three"
    assert [p.name for p in path.parent.iterdir()] == ["file"], "no temporary file is left"
    effects.remove(path)
    effects.remove(path)
    effects.remove(path.parent)
    assert not path.parent.exists()

from __future__ import annotations

import os
import re
import uuid
from typing import TYPE_CHECKING

import pyarrow as pa

from platform_pipelines.store import Store, effects
from platform_pipelines.store.runs import RunLog, new_token

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


def began(root: Path, token: str, hour: int) -> str:
    """A run that began at that hour of 1970 and has worked no longer."""
    folder = root / "s" / "_runs" / "p" / token
    folder.mkdir(parents=True)
    (folder / f"{hour * 3_600_000_000_000:020d}-begin.json").write_text("{}")
    os.utime(folder, (hour * 3600, hour * 3600))
    return token


def ulid(hour: int) -> str:
    milliseconds = hour * 3_600_000
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    return "pt-" + "".join(digits[milliseconds >> shift & 31] for shift in range(45, -1, -5)) + "0" * 16


def test_runs_are_told_newest_first_whatever_their_tokens_are_made_of(tmp_path: Path) -> None:
    made = [began(tmp_path, f"pt-{uuid.uuid4()}" if hour % 3 else ulid(hour), hour) for hour in range(1, 60)]
    runs = Store("s", tmp_path).runs
    assert runs.newest(["p"], 100) == [("p", token) for token in reversed(made)]
    assert runs.newest(["p"], 20) == [("p", token) for token in made[:-21:-1]]


def test_a_run_that_worked_on_for_hours_has_the_place_of_its_beginning(tmp_path: Path) -> None:
    long, short = (began(tmp_path, f"pt-{uuid.uuid4()}", hour) for hour in (1, 2))
    os.utime(tmp_path / "s" / "_runs" / "p" / long, (36_000, 36_000))
    assert Store("s", tmp_path).runs.newest(["p"], 2) == [("p", short), ("p", long)]


def test_records_of_runs_that_are_not_asked_for_are_not_looked_up(tmp_path: Path) -> None:
    old, new = (began(tmp_path, f"pt-{uuid.uuid4()}", hour) for hour in (1, 2))
    (folder,) = (path for path in (tmp_path / "s" / "_runs" / "p").iterdir() if path.name == old)
    (record,) = folder.iterdir()
    record.rename(folder / f"{'9' * 20}-begin.json")  # looked up, it would be the newest
    os.utime(folder, (3600, 3600))
    assert Store("s", tmp_path).runs.newest(["p"], 1) == [("p", new)]


def test_a_run_without_records_has_the_time_of_its_folder(tmp_path: Path) -> None:
    first, second = (began(tmp_path, f"pt-{uuid.uuid4()}", hour) for hour in (1, 2))
    next((tmp_path / "s" / "_runs" / "p" / second).iterdir()).unlink()
    os.utime(tmp_path / "s" / "_runs" / "p" / second, (7200, 7200))
    assert Store("s", tmp_path).runs.newest(["p"], 2) == [("p", second), ("p", first)]


def test_a_record_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    runs = Store("s", tmp_path).runs
    runs.add("p", "pt-" + "0" * 26, "begin", {})
    (next((tmp_path / "s" / "_runs" / "p").iterdir()) / "99999999999999999999-end.json").write_text('{"sta')
    assert [entry.stage for entry in runs.entries("p", "pt-" + "0" * 26)] == ["begin"]


def test_what_was_read_is_not_read_again_where_a_record_before_it_is_damaged(tmp_path: Path) -> None:
    runs = RunLog(tmp_path)
    for number in range(3):
        runs.add("p", "pt-0000", "landing", {"number": number})
    min((tmp_path / "p" / "pt-0000").glob("*.json")).write_bytes(b"{")
    read = runs.entries("p", "pt-0000")
    runs.add("p", "pt-0000", "landing", {"number": 3})
    assert [entry.body["number"] for entry in read] == [1, 2]
    assert [entry.body["number"] for entry in runs.entries("p", "pt-0000", after=read[-1].file)] == [3]


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

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import FeedBusy, OffsetConflict, SpecError, StoreCorrupt, UsageError
from platform_pipelines.model import Feed, Offset
from platform_pipelines.outcomes import RuleOutcome, TransformOutcome
from platform_pipelines.store import DataFile, FeedLog, Manifest, Store, Verdict, effects
from platform_pipelines.store.schemas import SchemaLog
from platform_pipelines.store.writer import PartWriter

if TYPE_CHECKING:
    from pathlib import Path

FEED = Feed("flights", "2013-01-01")
SCHEMA = pa.schema([pa.field("id", pa.int64(), metadata={b"pg_type": b"bigint"}), ("name", pa.string())])


@pytest.fixture
def log(tmp_path: Path) -> FeedLog:
    return Store(tmp_path / "store", tmp_path).feed(FEED)


def manifest(epoch: int = 1, sequence: int = 1, **changes: object) -> Manifest:
    values: dict[str, object] = {
        "feed": FEED,
        "epoch": epoch,
        "sequence": sequence,
        "token": "pt-1",
        "run_id": "r",
        "created_at": "2026-01-01T00:00:00+00:00",
        "schema": SCHEMA,
    }
    return Manifest(**(values | changes))  # type: ignore[arg-type]


def test_manifest_survives_json_to_the_last_digit(log: FeedLog) -> None:
    log.open_epoch("first run", "pt-1", "now")
    written = manifest(
        files=(DataFile("000001-0123456789ab/part-00000.parquet", 3, 100, "ab" * 32),),
        rejects=DataFile("x/unread-00000.parquet", 1, 10, "cd" * 32),
        read=5,
        deduplicated=1,
        cursor_low=Cursor("timestamptz", "2024-01-01T00:00:00.000000001Z"),
        cursor_high=Cursor("int", "9223372036854775807"),
        watermark=Cursor("decimal", "12.3400"),
        boundary={"=2024": "AAAA", "null": "BBBB"},
        columns=("id", "name"),
        resume={"page": 3},
        complete=False,
        replays=({"epoch": 1, "sequence": 1},),
    )
    log.commit(written)
    read = log.manifest(1, 1)
    assert read == written
    assert read.schema is not None
    assert read.schema.equals(SCHEMA, check_metadata=True)
    assert (read.rows, read.size, read.rejected, read.offset) == (3, 110, 1, Offset(1, 1))


def test_of_two_commits_of_one_sequence_one_wins(log: FeedLog) -> None:
    log.commit(manifest())
    with pytest.raises(OffsetConflict, match=r"Another run committed batch 1/1 of feed flights/2013-01-01 first"):
        log.commit(manifest(token="pt-2"))  # noqa: S106 - a run's token
    assert log.manifest(1, 1).token == "pt-1"  # noqa: S105 - a run's token


def test_epochs_and_live_epoch(log: FeedLog) -> None:
    assert log.epochs() == []
    assert log.live_epoch() is None
    assert log.open_epoch("first run", "pt-1", "now") == 1
    assert log.live_epoch() is None
    log.commit(manifest(complete=False))
    assert log.live_epoch() is None
    log.commit(manifest(sequence=2))
    assert (log.live_epoch(), log.first_complete(1)) == (1, 2)
    assert log.open_epoch("full refresh", "pt-2", "later") == 2
    assert log.live_epoch() == 1, "an epoch counts once its first extract is complete"
    log.commit(manifest(epoch=2))
    assert log.live_epoch() == 2
    assert log.epoch_info(2)["reason"] == "full refresh"
    assert log.epoch_info(9) == {}


def test_an_epoch_that_nobody_said_the_reason_of_is_not_begun(log: FeedLog) -> None:
    """Whoever was killed there left a folder, and in it a temporary file at most."""
    log.open_epoch("first run", "pt-1", "now")
    log.commit(manifest())
    stray = log.epoch_folder(2) / ".epoch.json.0123456789ab.tmp"
    effects.make_folder(stray.parent)
    stray.write_bytes(b"{")
    assert log.epochs() == [1]
    log.sweep()
    assert not stray.parent.exists()
    stray.parent.mkdir()
    assert log.open_epoch("reset", "pt-2", "later") == 2
    assert (log.epochs(), log.epoch_info(2)["reason"]) == ([1, 2], "reset")


def test_an_epoch_that_holds_batches_is_begun_without_a_reason(log: FeedLog) -> None:
    log.commit(manifest())
    assert log.epochs() == [1]


def test_last_and_sequences_are_numeric(log: FeedLog) -> None:
    assert log.last(1) is None
    for sequence in (1, 2, 10):
        log.commit(manifest(sequence=sequence))
    assert log.sequences(1) == [1, 2, 10]
    last = log.last(1)
    assert last is not None
    assert last.sequence == 10


def test_a_missing_or_damaged_manifest_is_named(log: FeedLog) -> None:
    log.commit(manifest())
    path = log.epoch_folder(1) / "000001.json"
    path.write_text("{not json")
    with pytest.raises(StoreCorrupt, match=r"000001\.json is unreadable .*--reset"):
        log.manifest(1, 1)
    path.write_text(json.dumps({"format": 99}))
    with pytest.raises(StoreCorrupt, match="has format 99; this version reads format 1"):
        log.manifest(1, 1)
    path.unlink()
    with pytest.raises(StoreCorrupt, match="is missing"):
        log.manifest(1, 1)


@pytest.mark.parametrize("content", ["{not json", "{}", "[]", '{"epoch": 1, "sequence": {}}', '{"schema": "AAAA"}'])
def test_a_damaged_offset_or_schema_is_named(log: FeedLog, content: str) -> None:
    log.set_offset("console", Offset(1, 1), "pt-1")
    path = log.folder / "offsets" / "console.json"
    path.write_text(content)
    with pytest.raises(StoreCorrupt, match=r"console\.json is unreadable .*Restore it"):
        log.offset("console")
    schemas = SchemaLog(log.folder / "schemas")
    schemas.record(SCHEMA, "pt-1", "now")
    (log.folder / "schemas" / "000001.json").write_text(content)
    with pytest.raises(StoreCorrupt, match=r"000001\.json is unreadable .*Restore it"):
        schemas.latest()


def test_verdicts_of_other_versions_are_read_or_named(log: FeedLog) -> None:
    log.commit(manifest())
    places = (DataFile("left-out", 1, 1, "x"),)
    log.seal(Verdict(1, 1, "passed", "pt-1", "now", rows_in=2, rows_out=1, schema=SCHEMA, left_out=places))
    path = log.epoch_folder(1) / "000001.verdict.json"
    body = json.loads(path.read_text())
    del body["left_out"]
    path.write_text(json.dumps(body))
    with pytest.raises(StoreCorrupt, match="is unreadable .*left_out"):
        log.verdict(1, 1)
    path.write_text(json.dumps(body | {"format": 1}))
    first = log.verdict(1, 1)
    assert first is not None
    assert first.left_out == ()
    path.write_text(json.dumps({"format": 3}))
    with pytest.raises(StoreCorrupt, match="has format 3; this version reads up to format 2. Install the version"):
        log.verdict(1, 1)


def test_verdicts_are_sealed_once_and_notes_are_kept(log: FeedLog) -> None:
    log.commit(manifest())
    outcome = RuleOutcome("r", "range", "error", 1, 2, "one", ({"id": 1},))
    transform = TransformOutcome("t", "map", 2, 1, 0.5)
    held = Verdict(1, 1, "held", "pt-1", "now", rows_in=2, reason="too many", rules=(outcome,), transforms=(transform,))
    log.hold(held)
    log.hold(held)
    assert log.held(1) == held
    assert len(list(log.epoch_folder(1).glob("*.held-*.json"))) == 2
    passed = Verdict(
        1, 1, "passed", "pt-2", "now", rows_in=2, rows_out=2, schema=SCHEMA, files=(DataFile("a", 2, 1, "x"),)
    )
    log.seal(passed)
    assert log.verdict(1, 1) == passed
    assert log.verdict(1, 2) is None
    assert log.held(1) is None
    assert log.sealed(1) == {1}
    with pytest.raises(OffsetConflict, match="the verdict on batch 1/1"):
        log.seal(passed)
    (log.epoch_folder(1) / "000001.verdict.json").write_text("[]")
    with pytest.raises(StoreCorrupt, match=r"Verdict .* is unreadable"):
        log.verdict(1, 1)


def test_changed_or_missing_batch_files_are_refused(log: FeedLog) -> None:
    folder = log.attempt_folder(1, 1)
    writer = PartWriter(folder, SCHEMA)
    writer.write(pa.RecordBatch.from_pylist([{"id": 1, "name": "a"}], schema=SCHEMA))
    files = writer.close()
    (path,) = log.paths(1, files)
    assert pq.read_table(path).to_pylist() == [{"id": 1, "name": "a"}]
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(StoreCorrupt, match=r"committed with .* --full-refresh"):
        log.paths(1, files)
    path.unlink()
    with pytest.raises(StoreCorrupt, match="is missing"):
        log.paths(1, files)


def test_sweep_removes_what_no_commit_refers_to(log: FeedLog) -> None:
    log.open_epoch("first run", "pt-1", "now")
    committed, lost = log.attempt_folder(1, 1), log.attempt_folder(1, 2)
    judged, unjudged = log.attempt_folder(1, 1, validated=True), log.attempt_folder(1, 2, validated=True)
    for folder in (committed, lost, judged, unjudged):
        effects.make_folder(folder)
        (folder / "part-00000.parquet").write_bytes(b"x")
    stray = log.epoch_folder(1) / ".000002.json.abc.tmp"
    stray.write_bytes(b"")
    log.commit(manifest())
    log.seal(Verdict(1, 1, "passed", "pt-1", "now"))
    log.sweep()
    assert committed.exists()
    assert judged.exists()
    assert not lost.exists()
    assert not unjudged.exists()
    assert not stray.exists()


def test_replays_are_found_without_reading_every_manifest(log: FeedLog) -> None:
    assert log.replays(1) == []
    log.commit(manifest())
    log.commit(manifest(sequence=2, kind="replay"))
    log.commit(manifest(sequence=3))
    effects.replace(log.epoch_folder(1) / "000003.replay", b"")
    assert [found.sequence for found in log.replays(1)] == [2], "a mark without a committed replay counts for nothing"


def test_offsets_of_destinations_without_a_store(log: FeedLog) -> None:
    assert log.offset("console") is None
    log.set_offset("console", Offset(1, 4), "pt-1")
    assert log.offset("console") == Offset(1, 4)


def test_has_files_counts_batches_not_dead_letters(log: FeedLog) -> None:
    folder = log.attempt_folder(1, 1, validated=True)
    effects.make_folder(folder)
    (folder / "dead-00000.parquet").write_bytes(b"x")
    assert not log.has_files(1)
    (folder / "part-00000.parquet").write_bytes(b"x")
    assert log.has_files(1)


def test_a_second_run_on_a_feed_is_told_who_holds_it(log: FeedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_LOCK_WAIT", "0.1")
    with (
        log.lock("pt-first"),
        pytest.raises(FeedBusy, match=rf"by run pt-first \(process {os.getpid()}\); waited 0.1 s"),
        log.lock("pt-second"),
    ):
        pass
    with log.lock("pt-third"):
        pass


def test_a_second_run_waits_for_the_first(log: FeedLog) -> None:
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait()
        with log.lock("pt-2"):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with log.lock("pt-1"):
        inside.set()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_without_a_readable_owner_still_refuses(log: FeedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_LOCK_WAIT", "0")
    with log.lock("pt-1"):
        (log.folder / ".lock").write_text("")
        with pytest.raises(FeedBusy, match="by another run"), log.lock("pt-2"):
            pass


def test_store_lists_feeds_whatever_their_keys(tmp_path: Path) -> None:
    store = Store("store", tmp_path)
    assert store.feeds("p") == []
    keys = ["a/b", "..", ".", "2013-01-01-05:00", "Ä ö", "all", "%2E", "a\n", "it's", "~b, c+d_e"]
    for key in keys:
        store.feed(Feed("p", key)).open_epoch("first run", "pt-1", "now")
    store.feed(Feed("p")).open_epoch("first run", "pt-1", "now")
    assert {feed.partition for feed in store.feeds("p")} == {*keys, None}
    inside = list((tmp_path / "store" / "p" / "feeds").iterdir())
    assert len(inside) == len(keys) + 1


def test_a_store_elsewhere_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="only a local path is available yet"):
        Store("gs://bucket/x", tmp_path)


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(UsageError, match=r"cannot be created: .* Set PIPELINES_STORE"):
        Store(blocker / "store", tmp_path).check_writable()
    Store("fine", tmp_path).check_writable()


def test_read_only_store_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store("fine", tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(UsageError, match="is read-only"):
        store.check_writable()


def test_files_may_go_while_they_are_looked_for(log: FeedLog) -> None:
    """Two destinations that load at once both look what may be removed, and one of them removes it."""
    log.commit(manifest())
    gone = log.attempt_folder(1, 1)
    gone.symlink_to(gone.with_name("removed-meanwhile"))
    assert not log.has_files(1)

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine.deadletters import dead_letters, newest_dead_letters, replay_dead_letters
from platform_pipelines.engine.feedstate import state
from platform_pipelines.engine.request import RunRequest
from platform_pipelines.engine.resetting import reset
from platform_pipelines.engine.runhistory import status
from platform_pipelines.engine.running import run
from platform_pipelines.errors import UsageError
from platform_pipelines_tests.unit.engine.world import FEED, World, at

MERGE = [{"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}]
AGE = {"rules": [{"id": "age", "type": "range", "field": "age", "min": 0, "severity": "error"}]}


def test_a_run_reports_what_happened_in_the_agreed_shape(world: World) -> None:
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}])
    report = world.run(world.project()).to_json()
    assert list(report) == [
        "pipeline",
        "status",
        "token",
        "partitions",
        "watermark",
        "rows",
        "bytes",
        "seconds",
        "destinations",
        "error",
    ]
    assert report["status"] == "success"
    assert report["watermark"] == {"from": None, "to": "2024-01-01T00:00:02Z"}
    assert report["rows"] == {
        "read": 2,
        "filtered": 0,
        "deduplicated": 0,
        "rejected": 0,
        "flagged": 0,
        "loaded": {"out": 2},
    }
    assert report["destinations"] == {"out": {"status": "success", "rows": 2, "error": None}}
    assert world.ids() == [1, 2]


def test_nothing_new_changes_nothing(world: World) -> None:
    project = world.project()
    world.put([{"id": 1, "at": at(1)}])
    world.run(project)
    report = world.run(project)
    assert (report.status, report.exit_code, report.destinations["out"].rows) == ("nothing_new", 0, 0)
    assert world.ids() == [1]


def test_append_takes_each_row_once_over_many_runs(world: World) -> None:
    project = world.project()
    for count in range(1, 6):
        world.put([{"id": n, "at": at(n // 2)} for n in range(count)])
        world.run(project)
    assert world.ids() == list(range(5))


def test_merge_keeps_the_newest_version_of_a_key(world: World) -> None:
    project = world.project(destinations=MERGE)
    world.put(
        [{"id": 1, "v": "old", "at": at(1)}, {"id": 1, "v": "new", "at": at(3)}, {"id": 1, "v": "mid", "at": at(2)}]
    )
    report = world.run(project)
    assert world.rows() == [{"id": 1, "v": "new", "at": at(3)}]
    assert (report.read, report.deduplicated, report.destinations["out"].rows) == (3, 2, 1)


def test_filter_and_rejects_are_accounted_for(world: World) -> None:
    project = world.project(transforms=[{"filter": "id <> 9"}], quality=AGE)
    world.put([{"id": n, "age": age, "at": at(n)} for n, age in ((1, 5), (2, -1), (3, None), (9, 7))])
    report = world.run(project)
    assert (report.read, report.filtered, report.rejected, report.destinations["out"].rows) == (4, 1, 1, 2)
    (letter,) = dead_letters(project, "p")
    assert (letter["record"]["id"], letter["rule"], letter["batch"]) == (2, "age", "1/1")
    assert "-1" in letter["reason"]
    assert letter["run"] == report.token


def test_a_closed_gate_touches_no_destination_and_is_judged_anew(world: World) -> None:
    closed = world.project(quality=AGE | {"gate": {"max_rejected": 0}})
    world.put([{"id": 1, "age": 1, "at": at(1)}, {"id": 2, "age": -1, "at": at(2)}])
    report = world.run(closed)
    assert (report.status, report.exit_code) == ("gate_closed", 3)
    assert report.error is not None
    assert "--release" in report.error
    assert MemoryConnector(space=world.space).offset(FEED, "out") is None
    assert state(closed, "p").to_json()["held"]
    again = world.run(closed)
    assert (again.status, again.read) == ("gate_closed", 1), "the row at the watermark is known"
    assert dead_letters(closed, "p") == []
    opened = world.project(quality=AGE | {"gate": {"max_rejected": 1}})
    report = world.run(opened)
    assert (report.status, report.rejected, world.ids()) == ("success", 1, [1])


def test_a_held_batch_blocks_the_ones_behind_it(world: World) -> None:
    project = world.project(quality=AGE | {"gate": {"max_rejected": 0}})
    world.put([{"id": 1, "age": -1, "at": at(1)}])
    world.run(project)
    world.put([{"id": 2, "age": 1, "at": at(2)}])
    assert world.run(project).status == "gate_closed"
    assert state(project, "p").feeds[0].unjudged == 2


def test_a_source_that_was_mended_gets_past_a_held_batch_by_a_full_refresh(world: World) -> None:
    project = world.project(quality=AGE | {"gate": {"max_rejected": 0}})
    world.put([{"id": 1, "age": -1, "at": at(1)}])
    assert "the source and run with `--full-refresh`" in (world.run(project).error or "")
    world.put([{"id": 1, "age": 1, "at": at(2)}])
    assert world.run(project).status == "gate_closed", "what was read is still held"
    report = world.run(project, full_refresh=True)
    assert (report.status, world.ids()) == ("success", [1])


def test_release_lets_the_good_rows_through_and_discard_drops_all(world: World) -> None:
    project = world.project(quality=AGE | {"gate": {"max_rejected": 0}})
    world.put([{"id": 1, "age": 1, "at": at(1)}, {"id": 2, "age": -1, "at": at(2)}])
    world.run(project)
    report = world.run(project, decision="release")
    assert (report.status, report.rejected, world.ids()) == ("success", 1, [1])
    world.put([{"id": 3, "age": 3, "at": at(3)}, {"id": 4, "age": -4, "at": at(4)}])
    world.run(project)
    report = world.run(project, decision="discard")
    assert (report.status, report.rejected, world.ids()) == ("success", 2, [1])
    rules = {letter["record"]["id"]: letter["rule"] for letter in dead_letters(project, "p")}
    assert rules == {2: "age", 3: "discarded", 4: "discarded"}
    with pytest.raises(UsageError, match="no held batch to release"):
        world.run(project, decision="release")
    assert project.store.feed(FEED).verdict(1, 1).status == "released"  # type: ignore[union-attr]


def test_dead_letters_come_back_through_todays_rules_once(world: World) -> None:
    project = world.project(quality=AGE)
    world.put([{"id": n, "age": age, "at": at(n)} for n, age in ((1, 1), (2, -1), (3, -100))])
    world.run(project)
    assert newest_dead_letters(project, "p", 1)[1] == 2
    lenient = world.project(
        quality={"rules": [{"id": "age", "type": "range", "field": "age", "min": -10, "severity": "error"}]}
    )
    report = replay_dead_letters(lenient, "p")
    assert (report.status, report.rejected, world.ids()) == ("success", 1, [1, 2])
    assert [letter["record"]["id"] for letter in dead_letters(lenient, "p")] == [3]
    replay_dead_letters(lenient, "p")
    assert world.ids() == [1, 2]
    assert newest_dead_letters(lenient, "p", 1)[1] == 1
    assert world.run(lenient).status == "nothing_new", "a replay does not move the watermark"


def test_replay_without_dead_letters_does_nothing(world: World) -> None:
    project = world.project()
    world.put([{"id": 1, "at": at(1)}])
    world.run(project)
    assert replay_dead_letters(project, "p").status == "nothing_new"


def test_a_full_refresh_replaces_what_was_loaded(world: World) -> None:
    project = world.project(destinations=MERGE)
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}])
    world.run(project)
    world.put([{"id": 2, "at": at(2)}, {"id": 3, "at": at(3)}])
    world.run(project, full_refresh=True)
    assert world.ids() == [2, 3]
    assert state(project, "p").to_json()["destinations"]["out"] == {
        "epoch": 2,
        "sequence": 1,
        "behind": 0,
        "error": None,
    }


def test_full_refresh_pipelines_replace_each_time(world: World) -> None:
    project = world.project(source={"connector": "mem", "stream": "rows"})
    for ids in ([1, 2], [2, 3], []):
        rows = pa.table({"id": pa.array(ids, pa.int64())})
        MemoryConnector.put("rows", rows, world.space)
        assert world.run(project).status == "success"
        assert world.ids() == ids


def test_files_of_superseded_epochs_go(world: World) -> None:
    project = world.project(source={"connector": "mem", "stream": "rows"})
    world.put([{"id": 1}])
    world.run(project)
    world.run(project)
    log = project.store.feed(FEED)
    assert (log.has_files(1), log.has_files(2)) == (False, True)
    assert log.manifest(1, 1).rows == 1, "history stays"


def test_reset_reads_everything_again_and_replaces(world: World) -> None:
    project = world.project(destinations=MERGE)
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}])
    world.run(project)
    assert reset(project, "p", token="pt-reset") == [FEED]  # noqa: S106 - a run's token
    assert state(project, "p").to_json()["watermark"] is None
    assert world.ids() == [1, 2], "destinations are not touched by a reset"
    world.put([{"id": 2, "at": at(2)}])
    report = world.run(project)
    assert (report.read, world.ids()) == (1, [2])
    with pytest.raises(UsageError, match="no state to reset"):
        reset(World(world.root / "other").project(), "p", token="pt-reset")  # noqa: S106


def test_a_new_destination_catches_up_from_the_log(world: World) -> None:
    project = world.project()
    for count in (2, 4):
        world.put([{"id": n, "at": at(n)} for n in range(count)])
        world.run(project)
    two = [*MERGE, {"name": "late", "connector": "mem", "table": "late", "mode": "append"}]
    two[0] = {"name": "out", "connector": "mem", "table": "out", "mode": "append"}
    world.put([])
    MemoryConnector.put(
        "rows", pa.table({"id": pa.array([], pa.int64()), "at": pa.array([], pa.timestamp("us", "UTC"))}), world.space
    )
    report = world.run(world.project(destinations=two))
    assert (report.status, report.read, report.destinations["late"].rows) == ("success", 0, 4)
    assert world.ids("late") == world.ids("out") == [0, 1, 2, 3]


def test_one_failing_destination_holds_back_none_of_the_others(world: World) -> None:
    bad = {"name": "bad", "connector": "mem", "table": "bad", "mode": "merge", "key": ["id"]}
    project = world.project(destinations=[bad, {"name": "out", "connector": "mem", "table": "out", "mode": "append"}])
    world.put([{"id": None, "at": at(1)}, {"id": 2, "at": at(2)}])
    report = world.run(project)
    assert (report.status, report.exit_code) == ("partial", 1)
    assert report.destinations["out"].status == "success"
    assert report.destinations["bad"].status == "failed"
    assert "NULL in key id" in str(report.destinations["bad"].error)
    assert len(world.rows()) == 2


def test_only_runs_one_stage(world: World) -> None:
    project = world.project()
    world.put([{"id": 1, "at": at(1)}])
    assert world.run(project, only="landing").destinations == {}
    assert state(project, "p").feeds[0].unjudged == 1
    assert world.run(project, only="validated").read == 0
    assert world.run(project, only="out").destinations["out"].rows == 1
    with pytest.raises(UsageError, match=r"Unknown stage `nope`.*landing, validated, out"):
        world.run(project, only="nope")


def test_a_window_is_read_again_and_the_watermark_stays(world: World) -> None:
    project = world.project(destinations=MERGE)
    world.put([{"id": n, "v": "a", "at": at(n)} for n in range(5)])
    world.run(project)
    world.put([{"id": n, "v": "b", "at": at(n)} for n in range(5)])
    report = world.run(project, window_from="2024-01-01T00:00:01Z", window_to="2024-01-01T00:00:03Z")
    assert report.read == 2
    assert {row["id"]: row["v"] for row in world.rows()} == {0: "a", 1: "b", 2: "b", 3: "a", 4: "a"}
    assert report.watermark_to == report.watermark_from


def test_a_window_beyond_the_watermark_takes_it_nowhere(world: World) -> None:
    """Rows between the two would never be read."""
    project = world.project(destinations=MERGE)
    world.put([{"id": 1, "at": at(1)}])
    world.run(project)
    world.put([{"id": n, "at": at(n)} for n in (1, 5, 9)])
    report = world.run(project, window_from="2024-01-01T00:00:08Z", window_to="2024-01-01T00:00:12Z")
    assert report.watermark_to == report.watermark_from
    assert state(project, "p").to_json()["watermark"] == "2024-01-01T00:00:01Z"
    world.run(project)
    assert world.ids() == [1, 5, 9]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_from": "1"}, "go together"),
        ({"window_from": "2", "window_to": "1"}, "holds nothing"),
        ({"window_from": "1", "window_to": "2", "full_refresh": True}, "does not go with"),
        ({"partitions": ("x",)}, "partition"),
    ],
)
def test_requests_that_make_no_sense(world: World, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(world.project(destinations=MERGE), RunRequest("p", **options))


def test_a_window_into_append_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match=r"would double rows in out \(mode append\)"):
        world.run(world.project(), window_from="1", window_to="2")


def test_unknown_pipeline_names_the_nearest(world: World) -> None:
    with pytest.raises(UsageError, match=r"Unknown pipeline `pp`.* Did you mean `p`"):
        run(world.project(), RunRequest("pp"))


def test_status_pages_and_tokens(world: World) -> None:
    project = world.project()
    world.put([{"id": 1, "at": at(1)}])
    report = world.run(project)
    (summary,) = status(project, "p")
    assert (summary.token, summary.status, summary.rows["read"]) == (report.token, "success", 1)
    assert [entry["stage"] for entry in summary.stages] == ["begin", "landing", "validated", "load", "end"]
    assert status(project, report.token)[0].to_json()["pipeline"] == "p"
    assert status(project, page=2) == []
    in_dagster = "pt-00000000-0000-4000-8000-000000000000"
    project.store.runs.add("p", in_dagster, "begin", {})
    assert [each.token for each in status(project, "p")] == [in_dagster, report.token]
    with pytest.raises(UsageError, match="No run has the token"):
        status(project, "pt-unknown")


def test_schema_drift_keeps_the_batch_and_goes_on_once_allowed(world: World) -> None:
    contract = {"schema_contract": {"new_columns": "fail"}}
    strict = world.project(quality=contract)
    world.put([{"id": 1, "at": at(1)}])
    world.run(strict)
    world.put([{"id": 2, "at": at(2), "new": "x"}])
    report = world.run(strict)
    assert (report.status, report.exit_code) == ("failed", 1)
    assert "`new`" in str(report.error)
    assert world.ids() == [1]
    report = world.run(world.project())
    assert (report.status, world.ids()) == ("success", [1, 2])

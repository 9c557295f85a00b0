"""A batch of a low score waits for a person or a deadline; a run acts on the answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.engine import approve, dead_letters, decided, reset, waiting
from platform_pipelines.errors import UsageError
from platform_pipelines_tests.unit.engine.world import FEED, at

if TYPE_CHECKING:
    from platform_pipelines.engine import Project
    from platform_pipelines_tests.unit.engine.world import World

RULE = {"id": "amount", "type": "required", "fields": ["amount"]}


def project_of(world: World, rules: tuple[dict[str, Any], ...] = (RULE,), **approval: Any) -> Project:
    return world.project(quality={"rules": list(rules), "approval": {"min_score": 0.9, **approval}})


@pytest.fixture
def rows(world: World) -> list[dict[str, Any]]:
    found = [{"id": 1, "amount": 5, "at": at(1)}, {"id": 2, "amount": None, "at": at(2)}]
    world.put(found)
    return found


@pytest.mark.usefixtures("rows")
def test_below_the_minimum_nothing_is_loaded_until_a_person_approves(world: World) -> None:
    project = project_of(world)
    held = world.run(project)
    assert (held.status, held.exit_code) == ("gate_closed", 3)
    assert f"`pipelines approve p {held.token}`" in str(held.error)
    assert [request.score for request in waiting(project, "p")] == [0.5]
    assert decided(project, "p") == []
    assert world.run(project).status == "gate_closed"
    (approved,) = approve(project, "p", held.token, by="ada")
    assert approved.tokens[0] == held.token
    assert len(decided(project, "p")) == 1
    done = world.run(project)
    assert (done.status, world.ids()) == ("success", [1])
    verdict = project.store.feed(FEED).verdict(1, 1)
    assert verdict is not None
    assert (verdict.status, "approved by ada" in verdict.reason) == ("released", True)
    assert waiting(project, "p") == []


@pytest.mark.usefixtures("rows")
def test_every_run_that_held_the_batch_may_be_named(world: World) -> None:
    project = project_of(world)
    first, second = world.run(project), world.run(project)
    assert waiting(project, "p")[0].tokens == (first.token, second.token)
    approve(project, "p", second.token, by="ada")
    with pytest.raises(UsageError, match="was approved before"):
        approve(project, "p", first.token, by="bob")


@pytest.mark.usefixtures("rows")
def test_a_token_that_holds_nothing_is_refused(world: World) -> None:
    project = project_of(world)
    with pytest.raises(UsageError, match="None of its batches waits"):
        approve(project, "p", "pt-nothing", by="ada")
    held = world.run(project)
    with pytest.raises(UsageError, match=f"Waiting are batches of the runs {held.token}"):
        approve(project, "p", "pt-nothing", by="ada")


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(("then", "loaded", "dead"), [(None, [], 2), ("release", [1], 1)])
def test_without_an_answer_the_deadline_decides(world: World, then: str | None, loaded: list[int], dead: int) -> None:
    project = project_of(world, deadline=0.05, on_deadline=then)
    held = world.run(project)
    time.sleep(0.06)
    assert len(decided(project, "p")) == 1
    with pytest.raises(UsageError, match="has passed"):
        approve(project, "p", held.token, by="ada")
    assert world.run(project).status == "success"
    assert world.ids() == loaded
    assert len(dead_letters(project, "p")) == dead


@pytest.mark.usefixtures("rows")
def test_mended_rules_need_no_approval(world: World) -> None:
    world.run(project_of(world))
    project = project_of(world, ({**RULE, "fields": ["id"]},))
    assert world.run(project).status == "success"
    assert waiting(project, "p") == []


@pytest.mark.usefixtures("rows")
def test_an_approval_does_not_open_a_gate(world: World) -> None:
    held = world.run(project_of(world))
    project = world.project(quality={"rules": [RULE], "approval": {"min_score": 0.9}, "gate": {"max_rejected": 0}})
    approve(project, "p", held.token, by="ada")
    assert world.run(project).status == "gate_closed"
    assert world.run(project, decision="release").status == "success"


@pytest.mark.usefixtures("rows")
def test_a_batch_of_an_epoch_that_is_over_waits_no_longer(world: World) -> None:
    project = project_of(world)
    world.run(project)
    world.run(project, full_refresh=True)
    assert [request.epoch for request in waiting(project, "p")] == [2]


@pytest.mark.usefixtures("rows")
def test_a_request_that_a_full_refresh_overtook_is_forgotten_and_so_is_a_killed_runs_half_written_file(
    world: World,
) -> None:
    project = project_of(world)
    world.run(project)
    folder = project.store.path / "p" / "approvals"
    (folder / ".all~e000001-000001.request.json.0123456789ab.tmp").write_bytes(b"half")
    world.put([{"id": 1, "amount": 5, "at": at(1)}])
    assert world.run(project, full_refresh=True).error is None
    assert list(folder.iterdir()) == []


def rereading(world: World, **quality: Any) -> Project:
    return world.project(
        source={"connector": "mem", "stream": "rows"},
        quality={"rules": [RULE], "approval": {"min_score": 0.9}} | quality,
        destinations=[{"name": "out", "connector": "mem", "table": "out", "mode": "replace"}],
    )


@pytest.mark.usefixtures("rows")
def test_what_was_approved_is_loaded_before_a_pipeline_reads_everything_anew(world: World) -> None:
    project = rereading(world)
    approve(project, "p", world.run(project).token, by="ada")
    world.put([{"id": 7, "amount": 7, "at": at(7)}])
    done = world.run(project)
    assert (done.status, done.read, world.ids()) == ("success", 0, [1])
    assert waiting(project, "p") == []
    assert (world.run(project).status, world.ids()) == ("success", [7])


@pytest.mark.usefixtures("rows")
def test_a_deadline_that_releases_does_so_before_everything_is_read_anew(world: World) -> None:
    approval = {"min_score": 0.9, "deadline": 0.05, "on_deadline": "release"}
    project = rereading(world, approval=approval)
    world.run(project)
    time.sleep(0.06)
    assert (world.run(project).status, world.ids()) == ("success", [1])


@pytest.mark.usefixtures("rows")
def test_unanswered_the_next_run_reads_everything_anew(world: World) -> None:
    project = rereading(world)
    world.run(project)
    world.put([{"id": 7, "amount": 7, "at": at(7)}])
    assert (world.run(project).status, world.ids()) == ("success", [7])


@pytest.mark.usefixtures("rows")
def test_an_approved_batch_outlives_a_read_that_broke_off(world: World) -> None:
    project = rereading(world)
    held = world.run(project)
    project.store.feed(FEED).open_epoch("full refresh", "pt-down", at(9).isoformat())
    approve(project, "p", held.token, by="ada")
    assert (world.run(project).status, world.ids()) == ("success", [1])


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("asked", ["reset", "full refresh"])
def test_who_asks_for_everything_anew_gets_it_whatever_was_approved(world: World, asked: str) -> None:
    project = rereading(world)
    approve(project, "p", world.run(project).token, by="ada")
    world.put([{"id": 7, "amount": 7, "at": at(7)}])
    if asked == "reset":
        reset(project, "p", token=world.context(project).token)
    assert world.run(project, full_refresh=asked == "full refresh").status == "success"
    assert world.ids() == [7]


@pytest.mark.usefixtures("rows")
def test_a_gate_that_closes_on_an_approved_batch_does_not_keep_a_mended_source_out(world: World) -> None:
    project = rereading(world)
    approve(project, "p", world.run(project).token, by="ada")
    world.put([{"id": 7, "amount": 7, "at": at(7)}])
    project = rereading(world, gate={"max_rejected": 0})
    assert world.run(project).status == "gate_closed"
    assert (world.run(project).status, world.ids()) == ("success", [7])

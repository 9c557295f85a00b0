"""A zone that is declared anew between two runs is a named error, wherever a read would go on in it."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine import new_token, plan, preview, replay_dead_letters, reset, rewind
from platform_pipelines.engine.batchhistory import watermark_history
from platform_pipelines.errors import ConnectError, CursorError
from platform_pipelines.model import Page
from platform_pipelines_tests.unit.engine.world import FEED, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Stream, Window

BERLIN, YORK = "Europe/Berlin", "America/New_York"
MERGE = {"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}
#: Berlin's clock says 02:00 to 03:00 twice on this day
BACK = dt.datetime(2026, 10, 25)  # noqa: DTZ001 - wall time
CHANGED = (
    "`cursor.timezone` of pipeline `p` is America/New_York now; p was read in Europe/Berlin, and its watermark is a "
    "time in the old zone. Put `timezone: Europe/Berlin` back, or, if America/New_York is right, read everything anew with "
    "`pipelines run p --full-refresh`."
)


def pipeline(world: World, zone: str | None, **changes: Any) -> Project:
    cursor = {"field": "at"} | ({"timezone": zone} if zone else {})
    source = {"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": cursor}
    return world.project(source=source, **({"destinations": [MERGE]} | changes))


def put(world: World, *rows: tuple[int, float]) -> None:
    """Rows of an id and the hour of the day on Berlin's wall."""
    times = [BACK + dt.timedelta(hours=hour) for _, hour in rows]
    ids = [number for number, _ in rows]
    world.put(pa.table({"id": ids, "at": pa.array(times, pa.timestamp("us")), "v": [f"v{n}" for n in ids]}))


@pytest.fixture
def berlin(world: World) -> Project:
    """A pipeline that was run in Berlin, up to the hour that comes twice."""
    project = pipeline(world, BERLIN)
    put(world, (1, 1), (2, 2.5))
    assert world.run(project).error is None
    put(world, (1, 1), (2, 2.5), (3, 2.25), (4, 4))
    return project


def test_a_cursor_in_another_zone_is_refused_and_the_old_one_goes_on(world: World, berlin: Project) -> None:
    report = world.run(pipeline(world, YORK))
    assert (report.status, report.exit_code) == ("failed", CursorError.exit_code)
    assert isinstance(report.errors[0], CursorError)
    assert str(report.errors[0]) == CHANGED
    assert world.ids() == [1, 2]
    # the second pass of the hour carries times below the watermark, and is met where the zone is what it was
    assert world.run(berlin).error is None
    assert world.ids() == [1, 2, 3, 4]


def test_a_full_refresh_takes_the_new_zone(world: World, berlin: Project) -> None:
    assert world.run(pipeline(world, YORK), full_refresh=True).error is None
    assert world.ids() == [1, 2, 3, 4]
    assert world.run(pipeline(world, YORK)).status == "nothing_new"
    assert "is Europe/Berlin now; p was read in America/New_York" in str(world.run(berlin).error)


def test_a_reset_takes_the_new_zone(world: World, berlin: Project) -> None:
    reset(berlin, "p", token=new_token())
    assert world.run(pipeline(world, YORK)).error is None
    assert world.ids() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "look",
    [
        lambda project: plan(project, "p"),
        lambda project: preview(project, "p", 5),
        lambda project: plan(project, "p", full_refresh=True) and None,
    ],
    ids=["plan", "preview", "plan of a full refresh"],
)
def test_who_looks_ahead_is_told(
    world: World, berlin: Project, look: Callable[[Project], Any], request: pytest.FixtureRequest
) -> None:
    assert berlin
    if "refresh" in request.node.name:
        look(pipeline(world, YORK))
        return
    with pytest.raises(CursorError, match="is America/New_York now; p was read in Europe/Berlin"):
        look(pipeline(world, YORK))


def test_a_window_is_refused_likewise_and_forgets_no_zone(world: World, berlin: Project) -> None:
    window = {"window_from": "2026-10-25T00:00:00", "window_to": "2026-10-25T03:00:00"}
    assert str(world.run(pipeline(world, YORK), **window).error) == CHANGED
    assert world.run(berlin, **window).error is None
    assert str(world.run(pipeline(world, YORK)).error) == CHANGED


@pytest.mark.parametrize("to", ["1/1", "2026-10-25T01:00:00"])
def test_a_rewind_and_its_history_keep_the_zone(world: World, berlin: Project, to: str) -> None:
    world.run(berlin)
    rewind(berlin, "p", to, token=new_token())
    assert str(world.run(pipeline(world, YORK)).error) == CHANGED
    assert [entry.kind for entry in watermark_history(berlin, "p")] == ["rewind", "extract", "extract", "epoch"]
    assert world.run(berlin).error is None
    assert world.ids() == [1, 2, 3, 4]


def test_a_replay_keeps_the_zone(world: World) -> None:
    rule = {"id": "few", "type": "range", "field": "id", "max": 1, "severity": "error"}
    strict = pipeline(world, BERLIN, quality={"rules": [rule]})
    put(world, (1, 1), (2, 2.5))
    assert world.run(strict).rejected == 1
    mended = pipeline(world, YORK)
    assert replay_dead_letters(mended, "p").error is None  # reads nothing
    assert world.ids() == [1, 2]
    assert str(world.run(mended).error) == CHANGED


def test_deletes_keep_the_zone(world: World) -> None:
    deletes = {"detect": "key_difference", "max_share": 0.5, "action": "hard"}
    source = {"connector": "mem", "stream": "rows", "mode": "incremental", "deletes": deletes}
    projects = [
        world.project(source=source | {"cursor": {"field": "at", "timezone": zone}}, destinations=[MERGE])
        for zone in (BERLIN, YORK)
    ]
    put(world, (1, 1), (2, 2.5))
    world.run(projects[0])
    put(world, (2, 2.5))
    assert world.run(projects[0]).error is None
    assert projects[0].store.feed(FEED).last(1).kind == "deletes"
    assert str(world.run(projects[1]).error) == CHANGED


def test_state_from_before_zones_were_noted_takes_the_declared_one(world: World, berlin: Project) -> None:
    path = berlin.store.feed(FEED).epoch_folder(1) / "000001.json"
    body = json.loads(path.read_text())
    assert body.pop("zones") == {"cursor": BERLIN}
    path.write_text(json.dumps(body))
    assert world.run(pipeline(world, YORK)).error is None
    assert "is Europe/Berlin now; p was read in America/New_York" in str(world.run(berlin).error)


def test_an_aware_cursor_has_no_zone_to_change(world: World) -> None:
    world.put([{"id": 1, "at": BACK.replace(tzinfo=dt.UTC)}])
    assert world.run(pipeline(world, BERLIN)).error is None
    assert world.run(pipeline(world, YORK)).error is None


def test_a_zone_that_was_taken_away_is_named(world: World, berlin: Project) -> None:
    assert berlin
    assert str(world.run(pipeline(world, None)).error).endswith(
        "`cursor: {field: at, timezone: Europe/Berlin}`; it was Europe/Berlin so far."
    )


class Breaking(MemoryConnector):
    """A source that goes on where it was, and breaks behind its first page."""

    breaks: bool = True

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:
        rows = [batch for page in super().read(stream, window, None) for batch in page.batches]
        if resume is None:
            yield Page((rows[0].slice(0, 1),), resume={"at": 1})
        if self.breaks:
            msg = "The line is dead."
            raise ConnectError(msg)
        yield Page((rows[0].slice(1),))


def test_a_first_read_that_was_interrupted_goes_on_in_its_zone(world: World) -> None:
    """A full refresh would go on with it too, so the way out is a reset."""
    checked = {"connector": "mem", "stream": "rows", "mode": "incremental", "checkpoint_pages": 1}
    projects = [
        world.project(source=checked | {"cursor": {"field": "at", "timezone": zone}}, destinations=[MERGE])
        for zone in (BERLIN, YORK)
    ]
    put(world, (1, 1), (2, 2.5))
    for project in projects:
        project.connectors["mem"] = Breaking(space=world.space)
    assert world.run(projects[0]).exit_code == ConnectError.exit_code
    assert not projects[0].store.feed(FEED).last(1).complete
    for project in projects:
        project.connectors["mem"] = Breaking(space=world.space, breaks=False)
    for options in ({}, {"full_refresh": True}):
        assert "read everything anew with `pipelines state p --reset`." in str(world.run(projects[1], **options).error)
    reset(projects[1], "p", token=new_token())
    assert world.run(projects[1]).error is None
    assert world.ids() == [1, 2]


DAYS = {"by": "day", "field": "day", "start": "2026-10-24", "end": "2026-10-27"}


def by_day(world: World, zone: str, **changes: Any) -> Project:
    source = {"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": {"field": "at"}}
    return world.project(source=source, partitions=DAYS | {"timezone": zone}, **({"destinations": [MERGE]} | changes))


def put_days(world: World, kind: pa.DataType, *hours: float) -> None:
    """Rows at some hours from the 25th of October on, UTC, or on that wall."""
    begin = BACK.replace(tzinfo=dt.UTC) if getattr(kind, "tz", None) else BACK
    times = [begin + dt.timedelta(hours=hour) for hour in hours]
    days = [time.date() for time in times] if pa.types.is_date(kind) else times
    instants = pa.array([time.replace(tzinfo=dt.UTC) for time in times], pa.timestamp("us", "UTC"))
    world.put(pa.table({"id": list(range(len(hours))), "at": instants, "day": pa.array(days, kind)}))


@pytest.mark.parametrize("mode", ["merge", "replace"])
def test_partitions_that_begin_elsewhere_are_refused(world: World, mode: str) -> None:
    """A row between the old midnight and the new one would change its partition, which has been read beyond it."""
    out = [MERGE] if mode == "merge" else [{"name": "out", "connector": "mem", "table": "out", "mode": "replace"}]
    utc, berlin = by_day(world, "UTC", destinations=out), by_day(world, BERLIN, destinations=out)
    put_days(world, pa.timestamp("us", "UTC"), -12, -1, 12, 26)
    everything = tuple(utc.pipeline("p").partitions.keys(dt.datetime.now(dt.UTC)))  # type: ignore[union-attr]
    assert world.run(utc, partitions=everything).error is None
    assert world.ids() == [0, 1, 2, 3]
    report = world.run(berlin, partitions=("2026-10-24",))
    assert str(report.error) == (
        "`partitions.timezone` of pipeline `p` is Europe/Berlin now; p/2026-10-24 was read in UTC, and its rows were "
        "read between the old zone's midnights. Put `timezone: UTC` back, or, if Europe/Berlin is right, read everything "
        "anew, all partitions, with `pipelines run p --full-refresh`."
    )
    assert world.ids() == [0, 1, 2, 3]
    assert world.run(berlin, full_refresh=True).error is None
    assert world.ids() == [0, 1, 2, 3]
    assert world.run(berlin, partitions=everything).error is None


@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("us")], ids=str)
def test_days_of_the_calendar_begin_nowhere(world: World, kind: pa.DataType) -> None:
    """The bounds of dates and of times without zone are the same in every zone."""
    put_days(world, kind, -12, -1, 12)
    assert world.run(by_day(world, "UTC"), partitions=("2026-10-24", "2026-10-25")).error is None
    assert world.run(by_day(world, BERLIN), partitions=("2026-10-24", "2026-10-25")).error is None
    assert world.ids() == [0, 1, 2]

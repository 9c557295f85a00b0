"""A zone declared anew at a real source: what it would cost is refused, and the way out that the error names works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines_tests.integration.test_late_rows import World, world

if TYPE_CHECKING:
    from platform_pipelines.engine import RunReport

__all__ = ["world"]

BERLIN, YORK = "Europe/Berlin", "America/New_York"


def _in_zone(world: World, zone: str, **request: Any) -> RunReport:
    cursor = {"field": "at", "timezone": zone}
    return world.run(source={"stream": "walls", "cursor": cursor}, request=request)


def test_a_naive_cursor_of_postgres(world: World) -> None:
    """Berlin's clock was set back on the 26th of October 2025: 02:30 comes twice, and is read on, not passed by."""
    world.admin.execute("create table walls (id int primary key, at timestamp, v text default 'a')")
    world.admin.execute("insert into walls values (1, '2025-10-26 01:30'), (2, '2025-10-26 02:40')")
    assert _in_zone(world, BERLIN).error is None
    world.admin.execute("insert into walls values (3, '2025-10-26 02:10'), (4, '2025-10-26 03:00')")
    report = _in_zone(world, YORK)
    assert "`cursor.timezone` of pipeline `p` is America/New_York now; p was read in Europe/Berlin" in str(report.error)
    assert world.loaded() == [(1, "a"), (2, "a")]
    assert _in_zone(world, BERLIN).error is None
    assert world.loaded() == [(1, "a"), (2, "a"), (3, "a"), (4, "a")]
    assert _in_zone(world, YORK, full_refresh=True).error is None
    assert _in_zone(world, YORK).status == "nothing_new"
    assert len(world.loaded()) == 4


def _by_day(world: World, zone: str, *days: int, **request: Any) -> RunReport:
    partitions = {"by": "day", "field": "at", "start": "2025-10-25", "end": "2025-10-28", "timezone": zone}
    deletes = {"detect": "key_difference", "max_share": 1, "action": "hard"}
    keys = tuple(f"2025-10-{day}" for day in days) or None
    return world.run(
        source={"deletes": deletes}, partitions=partitions, request=request | ({"partitions": keys} if keys else {})
    )


def test_days_of_instants_in_postgres(world: World) -> None:
    """A row at 23:30 UTC is Berlin's next day: its old day would take it for deleted, the new one has read beyond it."""
    world.admin.execute(
        "insert into t (id, at) values (1, '2025-10-25 12:00Z'), (2, '2025-10-25 23:30Z'), (3, '2025-10-26 12:00Z')"
    )
    assert _by_day(world, "UTC", 25, 26, 27).error is None
    assert len(world.loaded()) == 3
    for days in ((25,), (26,), ()):
        report = _by_day(world, BERLIN, *days)
        assert "`partitions.timezone` of pipeline `p` is Europe/Berlin now" in str(report.error)
        assert "with `pipelines run p --full-refresh`" in str(report.error)
    assert len(world.loaded()) == 3
    assert _by_day(world, BERLIN, full_refresh=True).error is None
    assert world.loaded() == world.source()
    world.admin.execute("delete from t where id = 2")
    assert _by_day(world, BERLIN, 25, 26, 27).error is None
    assert world.loaded() == world.source() == [(1, "a"), (3, "a")]

"""Random histories of PostgreSQL: transactions that overlap runs, commit in any order or not at all; no lag."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest

from platform_pipelines_tests.examples import examples, played
from platform_pipelines_tests.integration.test_late_rows import World, world
from platform_pipelines_tests.torture.seeds import seeded

if TYPE_CHECKING:
    import random

__all__ = ["world"]

_STEPS = 25


class Writers:
    """Three sessions that write, each in a transaction of its own."""

    def __init__(self, world: World, draw: random.Random, stack: ExitStack) -> None:
        self._draw = draw
        self._sessions = [stack.enter_context(psycopg.connect(world.dsn)) for _ in range(3)]
        self._held: dict[int, int] = {}  # row -> session that has written it and not ended yet
        self._count = 0

    def write(self) -> None:
        """Insert or update a row; its time is that of the transaction's begin, or of the moment."""
        place = self._draw.randrange(3)
        number = self._draw.randrange(20)
        if self._held.get(number, place) != place:
            return  # another session holds the row: this one would wait for ever
        self._held[number] = place
        self._count += 1
        clock = self._draw.choice(["now()", "clock_timestamp()"])
        self._sessions[place].execute(
            f"insert into t (id, at, v) values (%s, {clock}, %s) "
            "on conflict (id) do update set at = greatest(t.at, excluded.at), v = excluded.v".encode(),
            [number, f"v{self._count}"],
        )

    def end(self, place: int | None = None) -> None:
        """Commit, or now and then roll back."""
        chosen = self._draw.randrange(3) if place is None else place
        session = self._sessions[chosen]
        if self._draw.random() < 0.2:
            session.rollback()
        else:
            session.commit()
        self._held = {row: holder for row, holder in self._held.items() if holder != chosen}


@pytest.mark.parametrize("number", range(examples(4)))
def test_every_row_arrives_whenever_its_transaction_ends(world: World, number: int) -> None:
    played("late commits, PostgreSQL")
    _, draw = seeded(f"late history {number}")
    with ExitStack() as stack:
        writers = Writers(world, draw, stack)
        for _ in range(_STEPS):
            action = draw.choice(["write", "write", "write", "end", "run"])
            if action == "write":
                writers.write()
            elif action == "end":
                writers.end()
            else:
                assert world.run().error is None
                assert set(dict(world.loaded())) <= set(dict(world.source())), "nothing is loaded that is not committed"
        for place in range(3):
            writers.end(place)
    assert world.run().error is None
    assert world.loaded() == world.source()
    assert world.run().status == "nothing_new"

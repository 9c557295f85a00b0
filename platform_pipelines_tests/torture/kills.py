"""SIGKILL at random moments, of runs and of the PostgreSQL server under them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from platform_pipelines_tests.servers import PostgresServer

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from platform_pipelines_tests.torture.zygote import Zygote

from platform_pipelines_tests.torture.field import Field

#: one kill in so many is the server's
_SERVER = 8
#: kills between two comparisons
_ROUND = 12


def kill_at_random(kills: int, root: Path, zygote: Zygote, chance: random.Random) -> dict[str, int]:
    """Kill so many times, a run or its server, comparing now and then with what one clean run would leave.

    Returns:
        How many runs were killed, how many servers under a run, and how many runs had ended before.
    """
    counts = {"runs killed": 0, "servers killed": 0, "ended before": 0}
    with PostgresServer() as server:
        field = Field(root / "field", zygote, chance, server.dsn, root / "temporary")
        field.prepare()
        field.add()
        field.report()  # creates tables, which takes longer
        field.add()
        started = time.monotonic()
        field.report()
        length = time.monotonic() - started
        while counts["runs killed"] + counts["servers killed"] < kills:
            if chance.random() < 0.5:
                field.add()
            after, command = chance.uniform(0, length), field.command()
            if chance.randrange(_SERVER) == 0:
                killed = _kill_server(server, field, after, command)
                counts["servers killed" if killed else "ended before"] += 1
            else:
                killed = field.run(after, command) < 0
                counts["runs killed" if killed else "ended before"] += 1
            if sum(counts.values()) % _ROUND == 0:
                field.verify(f"after {counts}")
        field.verify(f"after {counts}")
    return counts


def _kill_server(server: PostgresServer, field: Field, after: float, command: tuple[str, ...]) -> bool:
    """Kill the server so many seconds after a command began; whether the command was still running."""
    over = threading.Event()
    found_running: list[bool] = []

    def kill() -> None:
        found_running.append(not over.is_set())
        server.kill()

    timer = threading.Timer(after, kill)
    timer.start()
    field.run(command=command)
    over.set()
    timer.join()
    server.start()
    field.dsn = server.dsn
    return found_running == [True]

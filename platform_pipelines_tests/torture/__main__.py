"""The whole crash matrix, and a thousand kills: ``python -m platform_pipelines_tests.torture``; hours, not minutes.

Prints each case with its moments and what failed, and the seed of all that is
random; ends with 1 if anything failed.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import sys
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines_tests.servers import postgres
from platform_pipelines_tests.torture.api_site import all_api_cases, attack_on_api
from platform_pipelines_tests.torture.cases import all_cases
from platform_pipelines_tests.torture.far_site import elsewhere
from platform_pipelines_tests.torture.field import Field
from platform_pipelines_tests.torture.kills import kill_at_random
from platform_pipelines_tests.torture.matrix import Attack
from platform_pipelines_tests.torture.seeds import seeded
from platform_pipelines_tests.torture.test_kills import kill_dagster
from platform_pipelines_tests.torture.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from platform_pipelines_tests.torture.cases import Case
    from platform_pipelines_tests.torture.crash import Point

    Choose = Callable[[Sequence[Point]], Sequence[int]]

_STATES = "leave out moments behind an effect: what lasts is the same as before the next one, in half the time"
#: deaths of each case of a slice
_OF_SLICE = 10
#: kills of one project, before a new one is begun
_OF_FIELD = 100


def main() -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m platform_pipelines_tests.torture", description=__doc__)
    parser.add_argument("--cases", default="*", help="pattern of DESTINATION/MODE/KIND, such as 'duckdb/merge/*'")
    parser.add_argument("--part", default="1/1", type=_part, metavar="N/OF", help="every OF-th case, from the N-th on")
    moments = parser.add_mutually_exclusive_group()
    moments.add_argument("--every", type=int, default=1, help="die at every n-th moment only")
    moments.add_argument("--states", action="store_true", help=_STATES)
    moments.add_argument("--minutes", type=float, help="a slice: cases and moments drawn by chance until time is up")
    parser.add_argument("--kills", type=int, help="SIGKILLs at random moments; 1000, in a slice none")
    parser.add_argument("--dagster-kills", type=int, help="SIGKILLs of Dagster's runs; 30, in a slice none")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    folder.chmod(0o711)  # PostgreSQL's server has a user of its own
    duck.spill_folder()
    (folder / "temporary").mkdir()
    tempfile.tempdir = str(folder / "temporary")  # what others leave in the common one is not ours to judge
    cases = _cases(chosen.cases, *chosen.part)
    if elsewhere(folder) is None:
        _say("no other file system can be written to: its cases are left out")
        cases = [case for case in cases if case.destination != "far"]
    failures = _matrix(folder, cases, _states if chosen.states else _every(chosen.every), chosen.minutes)
    kills, of_dagster = (1000, 30) if chosen.minutes is None else (0, 0)
    kills = kills if chosen.kills is None else chosen.kills
    of_dagster = of_dagster if chosen.dagster_kills is None else chosen.dagster_kills
    failures += _kills(folder, kills, of_dagster)
    if failures:
        _say(f"{failures} failures; the projects are kept in {folder}")
    else:
        shutil.rmtree(folder)
        _say("0 failures")
    return int(failures > 0)


def _part(text: str) -> tuple[int, int]:
    """Which part of how many.

    Raises:
        argparse.ArgumentTypeError: there is no such part.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        msg = f"{text!r} is no part; write 2/4 for the second of four"
        raise argparse.ArgumentTypeError(msg)
    return int(found[1]), int(found[2])


def _cases(pattern: str, part: int, of: int) -> list[Case]:
    return [case for case in [*all_cases(), *all_api_cases()] if fnmatch(str(case), pattern)][part - 1 :: of]


def _every(step: int) -> Choose:
    return lambda points: range(0, len(points), step)


def _states(points: Sequence[Point]) -> Sequence[int]:
    """The moments before an effect, and the last one: at these everything that a run can leave behind is met."""
    last = len(points) - 1
    return [number for number, point in enumerate(points) if point.moment == "before" or number == last]


def _matrix(folder: Path, cases: list[Case], choose: Choose, minutes: float | None) -> int:
    if minutes is not None:
        _, chance = seeded("crash matrix")
        chance.shuffle(cases)
        choose = lambda points: sorted(chance.sample(range(len(points)), min(len(points), _OF_SLICE)))  # noqa: E731
    done = deaths = failures = 0
    begun = time.monotonic()
    with postgres() as dsn:
        for number, case in enumerate(cases):
            if minutes is not None and time.monotonic() - begun > 60 * minutes:
                break
            died, failed = _case(case, folder / str(number), dsn, choose)
            done, deaths, failures = done + 1, deaths + died, failures + failed
    seconds = time.monotonic() - begun
    _say(f"crash matrix: {done} of {len(cases)} cases, {deaths} deaths, {failures} failures, {seconds:.0f} s")
    return failures


def _case(case: Case, folder: Path, dsn: str, choose: Choose) -> tuple[int, int]:
    with _attack(case, folder, dsn) as attack:
        moments = choose(attack.points)
        failures = attack.failures((moment,) for moment in moments)
    for failure in failures:
        _say(f"FAILED {failure}")
    _say(f"{case}: {len(attack.points)} moments, {attack.deaths} deaths, {len(failures)} failures")
    return attack.deaths, len(failures)


@contextlib.contextmanager
def _attack(case: Case, folder: Path, dsn: str) -> Iterator[Attack]:
    if case.destination == "http":
        with attack_on_api(case, folder) as attack:
            yield attack
        return
    attack = Attack.prepared(case, folder, dsn)
    yield attack
    attack.close()


def _kills(folder: Path, kills: int, of_dagster: int) -> int:
    _, chance = seeded("kills")
    begun = time.monotonic()
    try:
        with Zygote() as zygote, postgres() as dsn:
            for done in range(0, kills, _OF_FIELD):
                some = min(_OF_FIELD, kills - done)
                counts = kill_at_random(some, folder / f"kills-{done}", zygote, chance)
                _say(f"{done + some} kills, the last of them {counts}, {time.monotonic() - begun:.0f} s")
            if of_dagster:
                kill_dagster(of_dagster, Field(folder / "dagster", zygote, chance, dsn, folder / "dagster-tmp"), chance)
                _say(f"{of_dagster} runs of Dagster killed")
    except AssertionError as error:
        _say(f"FAILED {error}")
        return 1
    return 0


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a program that prints


if __name__ == "__main__":
    sys.exit(main())

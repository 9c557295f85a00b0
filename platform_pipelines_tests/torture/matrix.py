"""The crash matrix: every case, dying at every moment of its run, run again, compared with one clean run."""

from __future__ import annotations

import contextlib
import json
import signal
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine import RunReport, dead_letters
from platform_pipelines_tests.torture.crash import Bomb, Crash, Point, Recorder, hooked
from platform_pipelines_tests.torture.site import Contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from platform_pipelines_tests.torture.cases import Case
    from platform_pipelines_tests.torture.site import Site
    from platform_pipelines_tests.torture.zygote import Zygote


@dataclass
class Attack:
    """One case under attack.

    Attributes:
        case: which.
        site: where.
        points: the moments of its clean run.
        deaths: how often a run of it has died.
    """

    case: Case
    site: Site
    points: list[Point] = field(default_factory=list)
    deaths: int = 0
    _contents: dict[str, Contents] = field(default_factory=dict)
    _totals: dict[str, int] = field(default_factory=dict)
    _letters: Contents = field(default_factory=Contents)

    @classmethod
    def prepared(cls, case: Case, root: Path, dsn: str) -> Attack:
        """Lead up to the run, keep that state, and see what one clean run does."""
        (root / "site").mkdir(parents=True)
        return cls.on(case, case.site(root / "site", dsn))

    @classmethod
    def on(cls, case: Case, site: Site) -> Attack:
        """The same on a site that is made already."""
        attack = cls(case, site)
        attack.site.clear()
        case.prepare(attack.site)
        attack.site.keep()
        attack.site.restore()
        recorder = Recorder()
        with hooked(recorder):
            for step in case.steps(attack.site):
                _checked(step())
        attack.points = recorder.points
        attack._contents, attack._totals = attack.site.contents(), attack.site.totals()
        attack._letters = attack._dead_letters()
        attack._verify("the clean run")
        return attack

    def die_at(self, *numbers: int) -> None:
        """Die at one moment, run again and die at another, and so on; run again, compare.

        The first death is one of the clean run, and happens there; a later run may end before its own.
        """
        self.site.restore()
        done = 0
        points = " and ".join(f"{number} ({self.named(number)})" for number in numbers)
        what = f"{self.case}, dead at {points} of {len(self.points)}"
        for place, number in enumerate(numbers):
            ended, died_at = self._die(done, Bomb(number) if place else self._bomb(number))
            done += ended
            self.deaths += died_at is not None
            assert place or died_at == self.points[number], f"{what}: died at {died_at}"
        self.finish(done, what)

    def _bomb(self, number: int) -> Bomb:
        point = self.points[number]
        return Bomb(self.points[:number].count(point), only=point)

    def _die(self, done: int, bomb: Bomb) -> tuple[int, Point | None]:
        """Steps that came to their end before the run died, and where it did."""
        ended = 0
        with hooked(bomb), contextlib.suppress(Crash):
            for step in self.case.steps(self.site)[done:]:
                step()
                ended += 1
        return ended, bomb.died_at

    def kills(self, numbers: Iterable[int], zygote: Zygote, temporary: Path) -> list[str]:
        """Let processes of their own be killed, each at one of these moments; what was not as it should be."""
        return self._failures(partial(self._killed_at, number, zygote, temporary) for number in numbers)

    def _killed_at(self, number: int, zygote: Zygote, temporary: Path) -> None:
        self.site.restore()
        names = (self.case.destination, self.case.mode, self.case.kind)
        status = zygote.case(self.site.root, self.site.dsn, names, temporary, number)
        what = f"{self.case}, killed at {number} of {len(self.points)}: {self.named(number)}"
        self.deaths += status == -signal.SIGKILL
        assert status == -signal.SIGKILL or number >= len(self.points) - 4, f"{what}: exit {status}"
        self.finish(0, what)

    def finish(self, done: int, what: str) -> None:
        """Run again what was not done, and compare."""
        steps = self.case.steps(self.site)
        for step in steps[min(done, len(steps) - 1) :]:
            _checked(step(), what)
        self._verify(what)

    def first_of_each(self, seen: set[Point], of: tuple[str, ...] = ("",)) -> list[int]:
        """The first moment of each effect that was not seen before; they are seen from now on.

        Args:
            seen: moments of calls.
            of: how a call begins that a moment must have to count.

        An effect is a call in the package; one of ``store.effects`` is an effect of its own, whoever asked for it.
        So is each call that sent a statement, behind which it counts: before it, all is as behind the one before.
        """
        found = []
        for number, point in enumerate(self.points):
            if not any(call.startswith(of) for call in point.calls):
                continue
            calls = point.calls if point.moment == "after" else (point.site, *point.through)
            new = {replace(point, site=call) for call in calls} - seen
            if new:
                seen |= new
                found.append(number)
        return found

    def failures(self, deaths: Iterable[Sequence[int]]) -> list[str]:
        """Die each of these deaths, of one moment or several; what was not as it should be."""
        return self._failures(partial(self.die_at, *numbers) for numbers in deaths)

    @staticmethod
    def _failures(attacks: Iterable[Callable[[], None]]) -> list[str]:
        found = []
        for attack in attacks:
            try:
                attack()
            except AssertionError as error:
                found.append(str(error))
        return found

    def named(self, number: int) -> Point | None:
        """The moment of the clean run with that number."""
        return self.points[number] if number < len(self.points) else None

    def close(self) -> None:
        """Remove what the attack wrote."""
        self.site.close()

    def _verify(self, what: str) -> None:
        site = self.site
        for name, found, wanted in (
            ("contents", site.contents(), self._contents),
            ("sums of the log", site.totals(), self._totals),
            ("dead letters", self._dead_letters(), self._letters),
            ("destinations behind", site.behind(site.project([], self.case.spec())), []),
            ("orphans", site.orphans(), []),
        ):
            assert found == wanted, f"{what}: {name}: {found} instead of {wanted}"

    def _dead_letters(self) -> Contents:
        return _letters(dead_letters(self.site.project([], self.case.spec()), "p"))


def _checked(result: object, what: str = "the clean run") -> None:
    """A run that came to its end did so well, and its account is closed."""
    if not isinstance(result, RunReport):
        return
    assert result.error is None, f"{what}: {result.error}"


def _letters(found: list[dict[str, Any]]) -> Contents:
    """Dead letters, without which batch and run they are of."""
    return Counter((json.dumps(item["record"], sort_keys=True), item["rule"]) for item in found)

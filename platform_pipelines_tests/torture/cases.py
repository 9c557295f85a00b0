"""The cases: destinations, load modes, kinds of run, each with the history that leads to the run under attack."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine import RunRequest, approve, replay_dead_letters, reset, rewind, run
from platform_pipelines_tests.torture import rare
from platform_pipelines_tests.torture.far_site import FarSite
from platform_pipelines_tests.torture.rare import DELETES
from platform_pipelines_tests.torture.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.engine import Project, RunReport
    from platform_pipelines.model import Decision
    from platform_pipelines_tests.torture.site import Row

Step = Callable[[], object]

DESTINATIONS: dict[str, tuple[str, ...]] = {
    "duckdb": ("duckdb",),
    "postgres": ("postgres",),
    "parquet": ("folder",),
    "two": ("duckdb", "postgres"),
}
#: folders of text, and one on another file system: what they have in common with Parquet's is attacked there
FOLDERS: dict[str, tuple[str, ...]] = {"csv": ("csv",), "jsonl": ("jsonl",), "far": ("folder",)}
MODES = ("append", "merge", "replace", "update", "delete", "partition_replace")
KINDS = ("first", "incremental", "new_column", "full_refresh", "backfill", "replay", "reset")
#: kinds that go with some modes only
DECISIONS = ("release", "discard", "approve")

#: rows that update and delete find at the destination
PRESENT: list[Row] = [(n, 0, "a", ("eu", "us")[n % 2]) for n in range(14)]
#: at the source before the first run; x is rejected, d is filtered
BEFORE: list[Row] = [(n, n // 2, "axbad"[n % 5], ("eu", "us")[n % 2]) for n in range(10)]
#: at the source when the run under attack begins: new versions, ties at the watermark, new rows, two rows gone
AFTER: list[Row] = [
    *((n, at, v, region) for n, at, v, region in BEFORE if n not in {0, 1, 4, 5}),
    *((n, 5 + n % 2, "b", ("eu", "us")[n % 2]) for n in (4, 5)),
    *((n, n // 2, "abxda"[n % 5], ("eu", "us")[n % 2]) for n in range(9, 14) if n != 9),
]


@dataclass(frozen=True, slots=True)
class Case:
    """One combination."""

    destination: str
    mode: str
    kind: str

    def __str__(self) -> str:
        return f"{self.destination}/{self.mode}/{self.kind}"

    @property
    def targets(self) -> tuple[str, ...]:
        return (DESTINATIONS | FOLDERS).get(self.destination, (self.destination,))

    @property
    def partitioned(self) -> bool:
        return self.kind == "backfill" or self.mode == "partition_replace"

    @property
    def sent_again(self) -> bool:
        """Whether it has to be said that an API is to have its records twice."""
        return self.destination == "http" and self.mode == "append"

    def spec(self, accepted: str = "ab", *, attacked: bool = True, **quality: Any) -> dict[str, Any]:
        """The pipeline, for the run under attack or those before it; its destinations' common part."""
        keyed = self.mode in {"merge", "update", "delete"}
        mode = "replace" if self.mode == "partition_replace" else self.mode
        whole = self.mode == "replace" and not self.partitioned
        rule = {"id": "v", "type": "accepted", "field": "v", "values": list(accepted), "severity": "error"}
        source = {"connector": "source", "stream": "rows", "checkpoint_pages": 1} | rare.deletes(self.kind)
        return {
            "name": "p",
            "source": source
            | ({"mode": "full_refresh"} if whole else {"mode": "incremental", "cursor": {"field": "at"}}),
            "transforms": [{"filter": "v <> 'd'"}],
            "quality": {"rules": [rule], **quality},
            "destinations": {"mode": mode} | ({"key": rare.key(self.kind, attacked=attacked)} if keyed else {}),
        } | rare.partitions(self.kind, by_value=self.partitioned)

    def prepare(self, site: Site) -> None:
        """Everything before the run under attack."""
        if self.mode in {"update", "delete"}:
            seed = {
                "name": "seed",
                "source": {"connector": "source", "stream": "rows", "mode": "full_refresh"},
                "destinations": {"mode": "merge", "key": ["id"]},
            }
            _ok(run(site.project(PRESENT, seed), RunRequest("seed")))
        if self.kind not in rare.FIRST:
            widened = partial(rare.columns, self.kind, attacked=False)
            project = site.project(BEFORE, self.spec("a", attacked=False), widened)
            with rare.surroundings(self.kind):
                _ok(run(project, RunRequest("p", partitions=self.keys)))
        rare.lead_up(self.kind, site)

    def site(self, root: Path, dsn: str) -> Site:
        """The project in that folder."""
        return (FarSite if self.destination == "far" else Site)(root, dsn, self.targets)

    @property
    def keys(self) -> tuple[str, ...] | None:
        """The partitions that are run; None leaves the choice to the pipeline."""
        return rare.DAYS if self.kind == rare.BY_DAY else None

    def steps(self, site: Site) -> list[Step]:
        """The run under attack, and what a person does about it; steps done need not be done again."""
        attacked = _Attacked(self, site)
        decided = [attacked.closed, getattr(attacked, self.kind, attacked.again)]
        steps: dict[str, list[Step]] = {
            "full_refresh": [attacked.anew],
            "backfill": [attacked.anew],
            "replay": [attacked.replayed],
            "reset": [attacked.forgotten, attacked.again],
            rare.DAMAGED: [attacked.forgotten, attacked.again],
            rare.REWIND: [attacked.taken_back, attacked.again],
            rare.DESTRUCTIVE: [attacked.anew],
            rare.INTEGERS: [attacked.anew],
            rare.REKEYED: [attacked.anew],
            rare.SWEPT: [attacked.approve],
        }
        chosen = decided if self.kind in DECISIONS else steps.get(self.kind, [attacked.again])
        return [partial(attacked.surrounded, step) for step in chosen]


@dataclass(frozen=True, slots=True)
class _Attacked:
    """What may be done in a case."""

    case: Case
    site: Site

    def project(self) -> Project:
        kind = self.case.kind
        spec = self.case.spec("ab" if kind in {"replay", rare.FIELD} else "a", **rare.quality(kind))
        widened = partial(rare.columns, kind, attacked=True)
        return self.site.project(BEFORE if kind == "replay" else AFTER, spec, widened)

    def surrounded(self, step: Step) -> object:
        with rare.surroundings(self.case.kind):
            return step()

    def again(self) -> object:
        return run(self.project(), RunRequest("p", self.case.keys, allow_destructive=self.case.sent_again))

    def anew(self) -> object:
        keys = ("eu",) if self.case.kind == "backfill" else None
        # asked for twice, an API is sent everything twice; a plain run finishes what was begun
        begun = self.case.destination == "http" and any(log.epochs()[-1] > 1 for log in self.site.logs())
        destructive = self.case.sent_again or self.case.kind in rare.LOSING
        request = RunRequest("p", full_refresh=not begun, partitions=keys, allow_destructive=destructive)
        return run(self.project(), request)

    def replayed(self) -> object:
        return replay_dead_letters(self.project(), "p")

    def forgotten(self) -> object:
        return reset(self.project(), "p", token="pt-reset")  # noqa: S106 - a run's token

    def taken_back(self) -> object:
        for log in self.site.logs():  # a killed process does not say whether it came so far: nobody asks for it twice
            epoch = log.live_epoch()
            if epoch and any(log.manifest(epoch, number).kind == "rewind" for number in log.sequences(epoch)):
                return None
        return rewind(self.project(), "p", "=1", token="pt-rewind")  # noqa: S106 - a run's token

    def closed(self) -> object:
        report = run(self.project(), RunRequest("p"))
        # no error where the run was killed only after what follows, and everything is asked for once more
        assert report.status == "gate_closed" or report.error is None, report.error
        return None

    def release(self) -> object:
        return self._decide("release")

    def discard(self) -> object:
        return self._decide("discard")

    def approve(self) -> object:
        while (report := run(self.project(), RunRequest("p"))).status == "gate_closed":
            approve(self.project(), "p", report.token, by="a person")
        return report

    def _decide(self, decision: Decision) -> object:
        while (report := run(self.project(), RunRequest("p"))).status == "gate_closed":
            run(self.project(), RunRequest("p", decision=decision))
        return report


def _ok(report: RunReport) -> None:
    assert report.error is None, report.error


def all_cases() -> list[Case]:
    """Every combination."""
    usual = [Case(*names) for names in itertools.product(DESTINATIONS, MODES, KINDS)]
    decisions = [Case(*names) for names in itertools.product(DESTINATIONS, ("append", "merge"), DECISIONS)]
    texts = [Case(*names) for names in itertools.product(("csv", "jsonl"), MODES, KINDS)]
    far = [Case("far", *names) for names in itertools.product(("append", "merge", "replace"), ("first", "incremental"))]
    return [*usual, *decisions, *texts, *far, *rare_cases()]


def rare_cases() -> list[Case]:
    """What is special about some kinds is the same with most modes."""
    merged = (DELETES, rare.SOFT, rare.FIELD, rare.REWIND, rare.REKEYED)
    of_types = (rare.DESTRUCTIVE, rare.INTEGERS, rare.TYPED)
    any_mode = (rare.BY_DAY, rare.SWEPT, rare.DAMAGED, rare.EXPIRY, rare.MANY, *of_types)
    names = [*itertools.product(("merge",), merged), *itertools.product(("append", "merge", "replace"), any_mode)]
    return [Case(destination, *name) for name in names for destination in DESTINATIONS]


def pairwise(destination: str) -> list[Case]:
    """A destination's share of combinations, such that any mode goes with any kind at one destination at least."""
    place = list(DESTINATIONS).index(destination)
    pairs = [(i, j) for i in range(len(MODES)) for j in range(len(KINDS)) if (i + j) % len(DESTINATIONS) == place]
    usual = [Case(destination, MODES[i], KINDS[j]) for i, j in pairs]
    decision = DECISIONS[place % len(DECISIONS)]
    of_sql = [Case(destination, *names) for names in rare.OF_SQL.get(destination, ())]
    return [*usual, Case(destination, "append", decision), Case(destination, "merge", DELETES), *of_sql]

"""The cases: destinations, load modes, kinds of run, each with the history that leads to the run under attack."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine import RunRequest, approve, replay_dead_letters, reset, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.engine import Project, RunReport
    from platform_pipelines.model import Decision
    from platform_pipelines_tests.torture.site import Row, Site

Step = Callable[[], object]

DESTINATIONS: dict[str, tuple[str, ...]] = {
    "duckdb": ("duckdb",),
    "postgres": ("postgres",),
    "parquet": ("folder",),
    "two": ("duckdb", "postgres"),
}
MODES = ("append", "merge", "replace", "update", "delete", "partition_replace")
KINDS = ("first", "incremental", "new_column", "full_refresh", "backfill", "replay", "reset")
#: kinds that go with some modes only
DECISIONS = ("release", "discard", "approve")
DELETES = "deletes"

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
        return DESTINATIONS.get(self.destination, (self.destination,))

    @property
    def partitioned(self) -> bool:
        return self.kind == "backfill" or self.mode == "partition_replace"

    @property
    def sent_again(self) -> bool:
        """Whether it has to be said that an API is to have its records twice."""
        return self.destination == "http" and self.mode == "append"

    def spec(self, accepted: str = "ab", **quality: Any) -> dict[str, Any]:
        """The pipeline; its destinations' common part."""
        mode = "replace" if self.mode == "partition_replace" else self.mode
        whole = self.mode == "replace" and not self.partitioned
        rule = {"id": "v", "type": "accepted", "field": "v", "values": list(accepted), "severity": "error"}
        source = {"connector": "source", "stream": "rows", "checkpoint_pages": 1}
        if self.kind == DELETES:
            source |= {"deletes": {"detect": "key_difference", "max_share": 0.9, "action": "hard"}}
        return {
            "name": "p",
            "source": source
            | ({"mode": "full_refresh"} if whole else {"mode": "incremental", "cursor": {"field": "at"}}),
            "transforms": [{"filter": "v <> 'd'"}],
            "quality": {"rules": [rule], **quality},
            "destinations": {"mode": mode} | ({"key": ["id"]} if mode in {"merge", "update", "delete"} else {}),
        } | ({"partitions": {"by": "value", "field": "region", "values": ["eu", "us"]}} if self.partitioned else {})

    def prepare(self, site: Site) -> None:
        """Everything before the run under attack."""
        if self.mode in {"update", "delete"}:
            seed = {
                "name": "seed",
                "source": {"connector": "source", "stream": "rows", "mode": "full_refresh"},
                "destinations": {"mode": "merge", "key": ["id"]},
            }
            _ok(run(site.project(PRESENT, seed), RunRequest("seed")))
        if self.kind != "first":
            _ok(run(site.project(BEFORE, self.spec("a")), RunRequest("p")))

    def steps(self, site: Site) -> list[Step]:
        """The run under attack, and what a person does about it; steps done need not be done again."""
        attacked = _Attacked(self, site)
        decided = [attacked.closed, getattr(attacked, self.kind, attacked.again)]
        steps: dict[str, list[Step]] = {
            "full_refresh": [attacked.anew],
            "backfill": [attacked.anew],
            "replay": [attacked.replayed],
            "reset": [attacked.forgotten, attacked.again],
        }
        return decided if self.kind in DECISIONS else steps.get(self.kind, [attacked.again])


@dataclass(frozen=True, slots=True)
class _Attacked:
    """What may be done in a case."""

    case: Case
    site: Site

    def project(self) -> Project:
        kind = self.case.kind
        quality: dict[str, Any] = {}
        if kind in {"release", "discard"}:
            quality = {"gate": {"max_rejected": 0}, "alert": {"max_dead_letters": 1}}
        if kind == "approve":
            quality = {"approval": {"min_score": 0.99}}
        spec = self.case.spec("ab" if kind == "replay" else "a", **quality)
        return self.site.project(BEFORE if kind == "replay" else AFTER, spec, wider=kind == "new_column")

    def again(self) -> object:
        with _kept_for_ever() if self.case.kind == DELETES else contextlib.nullcontext():
            return run(self.project(), RunRequest("p", allow_destructive=self.case.sent_again))

    def anew(self) -> object:
        keys = ("eu",) if self.case.kind == "backfill" else None
        # asked for twice, an API is sent everything twice; a plain run finishes what was begun
        begun = self.case.destination == "http" and any(log.epochs()[-1] > 1 for log in self.site.logs())
        request = RunRequest("p", full_refresh=not begun, partitions=keys, allow_destructive=self.case.sent_again)
        return run(self.project(), request)

    def replayed(self) -> object:
        return replay_dead_letters(self.project(), "p")

    def forgotten(self) -> object:
        return reset(self.project(), "p", token="pt-reset")  # noqa: S106 - a run's token

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


@contextlib.contextmanager
def _kept_for_ever() -> Iterator[None]:
    """With a limit to their age, batches' keys are kept apart from the batches."""
    os.environ["PIPELINES_RETENTION"] = "5000w"
    try:
        yield
    finally:
        del os.environ["PIPELINES_RETENTION"]


def _ok(report: RunReport) -> None:
    assert report.error is None, report.error


def all_cases() -> list[Case]:
    """Every combination."""
    usual = [Case(*names) for names in itertools.product(DESTINATIONS, MODES, KINDS)]
    decisions = [Case(*names) for names in itertools.product(DESTINATIONS, ("append", "merge"), DECISIONS)]
    return [*usual, *decisions, *(Case(name, "merge", DELETES) for name in DESTINATIONS)]


def pairwise(destination: str) -> list[Case]:
    """A destination's share of combinations, such that any mode goes with any kind at one destination at least."""
    place = list(DESTINATIONS).index(destination)
    pairs = [(i, j) for i in range(len(MODES)) for j in range(len(KINDS)) if (i + j) % len(DESTINATIONS) == place]
    usual = [Case(destination, MODES[i], KINDS[j]) for i, j in pairs]
    decision = DECISIONS[place % len(DECISIONS)]
    return [*usual, Case(destination, "append", decision), Case(destination, "merge", DELETES)]

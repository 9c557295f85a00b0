"""Die before and after every durable effect of every kind of run, run again: equal to one clean run.

Here each effect of each destination is met once at least, in cases that pair
every mode with every kind of run; ``make torture`` has the full product.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.torture import callsites, rare, sending
from platform_pipelines_tests.torture.api_site import API_CASES, attack_on_api
from platform_pipelines_tests.torture.cases import DESTINATIONS, Case, all_cases, pairwise
from platform_pipelines_tests.torture.elsewhere import ELSEWHERE
from platform_pipelines_tests.torture.far_site import elsewhere
from platform_pipelines_tests.torture.matrix import Attack
from platform_pipelines_tests.torture.seeds import seeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines_tests.torture.crash import Point
    from platform_pipelines_tests.torture.zygote import Zygote

    Count = Callable[[str, int], None]

_SWEEPING = ("approvals", "feedlog", "keysnapshot", "schemas")
#: a process that dies closes no files; the test's own does not die
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
#: moments of each case beside those that no case before it had
SAMPLED = 1
#: deaths of each case of which the next run dies, too
TWICE = 1
#: cases whose process really dies, by SIGKILL, and moments of each
KILLED, MOMENTS = 8, 5
#: moments of each case that writes to an API, of those around what is sent
SENT = 1
OF_AN_API = ("connectors/http", "store/feedlog.py:set_offset", "store/feedlog.py:sweep", "store/refusals.py")
#: cases beside those of :func:`pairwise`, and the effects on whose account each is here: there it dies, else anywhere
RARE = {
    Case("csv", "append", "first"): ("formats/",),
    Case("csv", "merge", "incremental"): ("formats/writer.py",),
    Case("jsonl", "replace", "incremental"): ("formats/folder.py",),
    Case("jsonl", "merge", "incremental"): ("formats/writer.py",),
    Case("far", "append", "first"): ("formats/writer.py:_link",),
    Case("duckdb", "merge", rare.SWEPT): ("scratch.py:sweep", *(f"store/{n}.py:sweep" for n in _SWEEPING)),
    Case("duckdb", "merge", rare.DESTRUCTIVE): ("connectors/duckdb_destination.py:_recreate",),
    Case("duckdb", "merge", rare.SOFT): ("connectors/duckdb_destination.py:stage:self.execute#2",),
    Case("parquet", "merge", rare.FIELD): (),
    Case("parquet", "merge", rare.REWIND): (),
    Case("parquet", "append", rare.BY_DAY): (),
    Case("parquet", "append", rare.DAMAGED): ("store/damaged.py",),
    Case("parquet", "append", rare.INTEGERS): ("store/feedlog.py:open_epoch",),
    Case("parquet", "append", rare.EXPIRY): ("store/gone.py", "engine/retention.py"),
    Case("parquet", "append", rare.MANY): ("store/totals.py", "store/history.py"),
}
#: what takes another file system
FAR = "formats/writer.py:_link:durable.copy"
#: cases of the tests here whose clean runs have every effect there is, and in which every call is died at that has one
REPRESENTATIVE = [
    Case("duckdb", "append", "first"),
    Case("duckdb", "merge", "full_refresh"),
    Case("duckdb", "merge", rare.DELETES),
    Case("duckdb", "update", "replay"),
    Case("postgres", "merge", "first"),
    Case("parquet", "append", "approve"),
    Case("parquet", "update", "full_refresh"),
    *(Case(destination, *names) for destination, of_sql in rare.OF_SQL.items() for names in of_sql),
    *RARE,
]
REPRESENTATIVE_API = [
    Case("http", "append", "first"),
    Case("http", "append", "replay"),
    Case("http", "merge", "incremental"),
    Case("http", "append", rare.SWEPT),
    Case("http", "append", rare.REFUSED),
]


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("own_temporary_folder")
@pytest.mark.parametrize("destination", DESTINATIONS)
def test_dead_around_every_effect(destination: str, tmp_path: Path, postgres_database: str, cases: Count) -> None:
    _, chance = seeded("crash matrix")
    seen: set[Point] = set()
    failures: list[str] = []
    deaths: list[tuple[int, ...]]
    for number, case in enumerate(pairwise(destination)):
        attack = Attack.prepared(case, tmp_path / str(number), postgres_database)
        every = range(len(attack.points))
        deaths = [(moment,) for moment in (*attack.first_of_each(seen), *chance.sample(every, SAMPLED))]
        deaths += [tuple(chance.sample(every, 2)) for _ in range(TWICE)]
        failures += attack.failures(deaths)
        attack.close()
        cases(f"deaths around durable effects, {destination}", attack.deaths)
    assert failures == []


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("own_temporary_folder")
def test_dead_around_rare_effects(tmp_path: Path, postgres_database: str, cases: Count) -> None:
    _, chance = seeded("rare cases of the crash matrix")
    seen: set[Point] = set()
    failures: list[str] = []
    for number, (case, wanted) in enumerate(_rare(tmp_path).items()):
        attack = Attack.prepared(case, tmp_path / str(number), postgres_database)
        own = attack.first_of_each(seen, wanted)
        failures += attack.failures((moment,) for moment in own or [chance.randrange(len(attack.points))])
        attack.close()
        cases("deaths around rare effects", attack.deaths)
    assert failures == []


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("own_temporary_folder")
def test_dead_around_what_is_sent_to_an_api(tmp_path: Path, cases: Count) -> None:
    """A request that was under way is repeated with its key; an API that knows it takes it once."""
    _, chance = seeded("crash matrix of an API")
    seen: set[Point] = set()
    failures: list[str] = []
    for number, case in enumerate(API_CASES):
        with attack_on_api(case, tmp_path / str(number)) as attack:
            own = [n for n, point in enumerate(attack.points) if point.site.startswith(OF_AN_API)]
            sent = chance.sample(own, min(len(own), SENT))
            new = set(own) & set(attack.first_of_each(seen))
            deaths: list[tuple[int, ...]] = [(moment,) for moment in sorted({*new, *sent})]
            deaths.append(tuple(chance.sample(range(len(attack.points)), 2)))
            failures += attack.failures(deaths)
        cases("deaths around what is sent to an API", attack.deaths)
    assert failures == []


@pytest.mark.timeout(900)
def test_killed_around_effects(
    tmp_path: Path, postgres_database: str, own_temporary_folder: Path, zygote: Zygote, cases: Count
) -> None:
    """What a dead process holds in memory, open files and sessions is gone, too."""
    _, chance = seeded("SIGKILL at effects")
    failures: list[str] = []
    killed = 0
    there_are = [case for case in all_cases() if case.destination != "far" or elsewhere(tmp_path)]
    for number, case in enumerate(chance.sample(there_are, KILLED)):
        attack = Attack.prepared(case, tmp_path / str(number), postgres_database)
        moments = chance.sample(range(len(attack.points)), MOMENTS)
        failures += attack.kills(moments, zygote, own_temporary_folder)
        attack.close()
        killed += attack.deaths
    cases("SIGKILL around durable effects", killed)
    assert failures == []


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory, postgres_dsn: str) -> dict[str, bool]:
    """The calls with an effect that clean runs of the cases come by, and whether the tests here die there."""
    root = tmp_path_factory.mktemp("met")
    found: dict[str, bool] = {}

    def add(points: list[Point], attacked: tuple[str, ...]) -> None:
        for calls in {point.calls for point in points}:
            dies = any(call.startswith(attacked) for call in calls)
            found.update({call: dies or found.get(call, False) for call in calls})

    there_are = [case for case in REPRESENTATIVE if case in _rare(root) or case not in RARE]
    for number, case in enumerate(there_are):
        attack = Attack.prepared(case, root / str(number), postgres_dsn)
        add(attack.points, RARE.get(case, ("",)))
        attack.close()
    for case in REPRESENTATIVE_API:
        with attack_on_api(case, root / f"{case.mode}-{case.kind}") as attack:
            add(attack.points, OF_AN_API)
    return found


def test_what_is_representative_is_attacked() -> None:
    assert set(REPRESENTATIVE) <= {case for name in DESTINATIONS for case in pairwise(name)} | set(RARE)
    assert set(REPRESENTATIVE_API) <= set(API_CASES)


def test_no_effect_is_left_out_of_the_matrix(met: dict[str, bool], tmp_path: Path) -> None:
    died_at = {call for call, dies in met.items() if dies}
    missing = _there_are() - died_at - set(ELSEWHERE) - (set() if elsewhere(tmp_path) else {FAR})
    assert not missing, (
        f"{sorted(missing)}: add a case whose run has this effect, or a test that dies there, named in ELSEWHERE"
    )
    unnamed = set(met) - _there_are()
    assert not unnamed, (
        f"{sorted(unnamed)}: an effect is asked for in a way that `callsites` or `sending` does not find"
    )


def test_what_is_excused_exists_and_is_not_met(met: dict[str, bool]) -> None:
    assert set(ELSEWHERE) - _there_are() == set(), "no such call any more: take it out of ELSEWHERE"
    assert set(ELSEWHERE) & set(met) == set(), "the matrix dies there: take it out of ELSEWHERE"


@pytest.mark.parametrize("test", sorted(set(ELSEWHERE.values())))
def test_what_is_excused_is_attacked_by_a_test_that_exists(test: str) -> None:
    module, _, name = test.partition("::")
    path = Path(__file__).parents[1] / module
    functions = {f.name: ast.unparse(f) for f in ast.parse(path.read_text()).body if isinstance(f, ast.FunctionDef)}
    assert "excused(" in functions[name], "it is to assert that it comes by the effects that it excuses"


def _there_are() -> set[str]:
    """The calls with an effect, and those that send a statement."""
    modules = callsites.modules()
    return {site.name for each in modules for site in (*callsites.call_sites(each), *sending.sending_calls(each))}


def _rare(root: Path) -> dict[Case, tuple[str, ...]]:
    """The rare cases that this machine can have."""
    return {case: sites for case, sites in RARE.items() if case.destination != "far" or elsewhere(root)}

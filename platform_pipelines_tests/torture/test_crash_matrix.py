"""Die before and after every durable effect of every kind of run, run again: equal to one clean run.

Here each effect of each destination is met once at least, in cases that pair
every mode with every kind of run; ``make torture`` has the full product.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import platform_pipelines
from platform_pipelines_tests.torture.api_site import API_CASES, attack_on_api
from platform_pipelines_tests.torture.cases import DESTINATIONS, Case, all_cases, pairwise
from platform_pipelines_tests.torture.matrix import Attack
from platform_pipelines_tests.torture.scan import sites
from platform_pipelines_tests.torture.seeds import seeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines_tests.torture.crash import Point
    from platform_pipelines_tests.torture.zygote import Zygote

    Count = Callable[[str, int], None]

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
OF_AN_API = ("connectors/http", "store/feedlog.py:set_offset", "store/refusals.py")
#: cases whose clean runs have every effect there is
REPRESENTATIVE = [
    Case("two", "merge", "first"),
    Case("two", "merge", "new_column"),
    Case("two", "append", "reset"),
    Case("two", "delete", "replay"),
    Case("duckdb", "merge", "deletes"),
    Case("parquet", "merge", "first"),
    Case("parquet", "merge", "replay"),
    Case("parquet", "append", "full_refresh"),
    Case("parquet", "append", "discard"),
    Case("parquet", "append", "approve"),
    Case("csv", "append", "first"),
]
BEHIND_A_KILL = "only behind a kill is there something to sweep: deaths of runs whose forerunner died"
#: modules and functions that name an effect no case has, and where it is attacked instead
ELSEWHERE = {
    "durable.py": "the effects themselves",
    "store/effects.py": "passes them on; who calls it is looked at",
    "orchestration/steps.py": "orchestration/test_crashes.py",
    "http/tokens.py": "test_token_file.py",
    "connectors/http_journal.py": "test_dead_around_what_is_sent_to_an_api",
    "store/refusals.py:commit": "integration/test_http_destination.py",
    "store/totals.py:bring_forward": "sums of 256 batches and more, put in place whole; without them all is counted anew",
    "store/gone.py:note_expired": "cli/test_missing_files.py: says why files are gone that it is written before, no more",
    "store/feedindex.py:_keep": "unit/store/test_feedindex.py: of 256 feeds and more; without it all are looked at",
    **{f"store/{name}.py:sweep": BEHIND_A_KILL for name in ("approvals", "feedlog", "keysnapshot", "schemas")},
    "scratch.py:sweep": BEHIND_A_KILL,
    "store/damaged.py:set_aside": "unit/engine/test_resetting.py: needs a log that was damaged by hand",
    "store/feedlog.py:set_offset": "test_dead_around_what_is_sent_to_an_api",
    **{
        f"connectors/duckdb_blocks.py:{name}": "integration/test_duckdb_blocks.py: needs a block that is half written"
        for name in ("restore", "_put_back", "_restore_block")
    },
    "connectors/duckdb_destination.py:_recreate": "columns that are re-created, with --allow-destructive",
}


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
        cases(f"deaths around durable effects, {destination}", len(deaths))
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
        cases("deaths around what is sent to an API", len(deaths))
    assert failures == []


@pytest.mark.timeout(900)
def test_killed_around_effects(
    tmp_path: Path, postgres_database: str, own_temporary_folder: Path, zygote: Zygote, cases: Count
) -> None:
    """What a dead process holds in memory, open files and sessions is gone, too."""
    _, chance = seeded("SIGKILL at effects")
    failures: list[str] = []
    for number, case in enumerate(chance.sample(all_cases(), KILLED)):
        attack = Attack.prepared(case, tmp_path / str(number), postgres_database)
        moments = chance.sample(range(len(attack.points)), MOMENTS)
        failures += attack.kills(moments, zygote, own_temporary_folder)
        attack.close()
    cases("SIGKILL around durable effects", KILLED * MOMENTS)
    assert failures == []


@pytest.mark.usefixtures("own_temporary_folder")
def test_no_effect_is_left_out_of_the_matrix(tmp_path: Path, postgres_database: str) -> None:
    package = Path(platform_pipelines.__file__).parent
    names = [file.relative_to(package).as_posix() for file in package.rglob("*.py")]
    there_are = {site for name in names for site in sites(package / name, name)}
    attacked: set[str] = set()
    for number, case in enumerate(REPRESENTATIVE):
        attack = Attack.prepared(case, tmp_path / str(number), postgres_database)
        attacked |= {point.site for point in attack.points}
        attack.close()
    missing = {site for site in there_are - attacked if not {site, site.partition(":")[0]} & set(ELSEWHERE)}
    assert not missing, (
        f"{sorted(missing)}: add a case whose run has this effect, or say in ELSEWHERE where it is attacked"
    )

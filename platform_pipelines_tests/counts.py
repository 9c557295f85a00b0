"""How many cases each attack had: tests say it with the fixture ``cases``, the end of the suite shows the sums.

Where each test is a case, :data:`EACH` says of what.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _pytest.terminal import TerminalReporter

PROPERTY = "cases"
_GATES = r"(unit/engine|unit/api|cli|orchestration)/.*::.*_(gate|held|released?|discard(ed)?|approv(es?|ed|al))(_|\[|$)"
#: tests whose name matches, each of them a case of an attack
EACH = {
    re.compile(rf"platform_pipelines_tests/{pattern}"): what
    for pattern, what in {
        _GATES: "tests of gates, and of batches released, discarded or approved",
        r"secrets/": "tests with a canary for a secret",
        r"hostile/test_(disks|names|sizes)": "tests of hostile names, values, disks and sizes",
        r"property/test_fuzz\.py::": "fuzzers of readers",
        r"integration/test_golden_values\.py::": "tests of PostgreSQL values, each value at each destination and setting",
        r"integration/test_golden_texts\.py::": "tests of CSV and JSON Lines values, each at each destination and setting",
        r"integration/test_schema_changes\.py::": "schema changes of tables, at three destinations",
        r"integration/test_schema_changes_of_files\.py::": "schema changes of files, at two destinations",
        r"integration/test_key_changes\.py::": "changes of a key, at three destinations",
        r"property/test_documented_exceptions\.py::": "documented exceptions of incremental reads",
    }.items()
}


def of_test(test: str, played: Mapping[str, int]) -> list[tuple[str, object]]:
    """What is noted of a test, by its id and the random histories that it has played."""
    found = [(what, 1) for pattern, what in EACH.items() if pattern.match(test)]
    found += [(f"random histories: {what}", number) for what, number in played.items()]
    return [(PROPERTY, each) for each in found]


def summed(reports: Iterable[Any]) -> dict[str, int]:
    """The cases of each attack, sorted by its name."""
    total: Counter[str] = Counter()
    for report in reports:
        for name, value in report.user_properties:
            if name == PROPERTY:
                total[value[0]] += value[1]
    return dict(sorted(total.items()))


def show(reporter: TerminalReporter) -> None:
    """Print the sums, if any test said how many cases it had."""
    reports = [each for state in ("passed", "failed") for each in reporter.stats.get(state, ())]
    if found := summed(reports):
        reporter.section("attacks")
        for name, cases in found.items():
            reporter.write_line(f"{cases:>8,} {name}")

"""How many cases each attack had: tests say it with the fixture ``cases``, the end of the suite shows the sums."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _pytest.terminal import TerminalReporter

PROPERTY = "cases"


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

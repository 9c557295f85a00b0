"""One row rule made ready for one relation: how it is tested, and how a failure is worded.

Where the test runs (DuckDB, Python, pandera) is left to the modules that build
it. NULL semantics of all rules but ``required``: NULL passes, as in a CHECK of SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from platform_pipelines.quality import words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from platform_pipelines.quality.words import Mask
    from platform_pipelines.spec.rules import Severity


@dataclass(frozen=True, slots=True)
class RowTest:
    """A row rule over known columns.

    Attributes:
        order: position among all rules; outcomes keep it.
        id: the rule's id.
        type: the rule's type.
        severity: error rejects, warning flags, info only counts.
        statement: what the rule demands, in words.
        reasons: from failing rows to one sentence each.
    """

    order: int
    id: str
    type: str
    severity: Severity
    statement: str
    reasons: Callable[[pa.RecordBatch], pa.StringArray]


class Tester(Protocol):
    """Runs some of the tests over each chunk of rows.

    Attributes:
        tests: the tests it runs.
        extra: SQL select items over the judged relation that it wants beside the
            rows, ``expression as name``; dropped again before rows go on.
        suspects: SQL that is true for every row that may fail, and never NULL; None
            where it has to see all rows.
    """

    @property
    def tests(self) -> Sequence[RowTest]:
        """The tests it runs."""

    @property
    def extra(self) -> Sequence[str]:
        """Select items it wants beside the rows."""

    @property
    def suspects(self) -> str | None:
        """The condition for rows that may fail."""

    def failing(self, rows: pa.RecordBatch, extra: pa.RecordBatch) -> list[Mask | None]:
        """For each test the mask of failing rows, or None where none fails.

        Args:
            rows: one chunk, in the order of the relation.
            extra: the extra columns of the same rows.
        """


def value_reasons(field: str, problem: str) -> Callable[[pa.RecordBatch], pa.StringArray]:
    """Reasons such as ``age: '200' is not between 0 and 150``."""
    return lambda rows: words.concat(f"{field}: '", words.shown(rows.column(field)), f"' {problem}")


def fixed_reasons(reason: str) -> Callable[[pa.RecordBatch], pa.StringArray]:
    """The same reason for every row."""
    return lambda rows: words.repeated(reason, rows.num_rows)


def null_reasons(fields: Sequence[str]) -> Callable[[pa.RecordBatch], pa.StringArray]:
    """Reasons such as ``id: NULL is not allowed``, one for each field that is NULL."""
    return lambda rows: words.listed([(rows.column(name).is_null(), f"{name}: NULL is not allowed") for name in fields])


def unique_reasons(fields: Sequence[str]) -> Callable[[pa.RecordBatch], pa.StringArray]:
    """Reasons such as ``id, day: '7', '2026-01-01' occurs more than once``."""

    def reasons(rows: pa.RecordBatch) -> pa.StringArray:
        texts = words.concat(*[words.shown(rows.column(name)) for name in fields], separator="', '")
        return words.concat(f"{', '.join(fields)}: '", texts, "' occurs more than once; another row is kept")

    return reasons

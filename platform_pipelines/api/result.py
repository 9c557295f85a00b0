"""What a run of the Python API returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from platform_pipelines.api.records import RunRecords
    from platform_pipelines.engine.report import RunReport, RunStatus


@dataclass(frozen=True, slots=True)
class RecordError:
    """A record that was not loaded, or a failure that concerns no single record.

    Attributes:
        record: the record as the rules saw it, values JSON-ready; None for a failure of the run.
        error: which rule and why, or the text of the failure.
        rule: the rule's id; None for a failure of the run.
    """

    record: Any
    error: str
    rule: str | None = None


@dataclass(frozen=True)
class RunResult:
    """One run.

    Attributes:
        report: everything the engine reports, as ``pipelines run --json`` prints it.
        records: where ``ids`` and ``errors`` are read from, when they are asked for.
    """

    report: RunReport
    records: RunRecords

    @property
    def status(self) -> RunStatus:
        """``success``, ``partial``, ``failed``, ``gate_closed`` or ``nothing_new``."""
        return self.report.status

    @property
    def token(self) -> str:
        """The run's token, as in ``pipelines status TOKEN``."""
        return self.report.token

    @property
    def total(self) -> int:
        """Rows read."""
        return self.report.read

    @property
    def success_count(self) -> int:
        """Rows loaded; with several destinations, by the one that loaded fewest."""
        return min((each.rows for each in self.report.destinations.values()), default=0)

    @property
    def error_count(self) -> int:
        """Rejected records and failures: the length of ``errors``."""
        return self.report.rejected + len(self.report.errors)

    @cached_property
    def errors(self) -> list[RecordError]:
        """Every rejected record of this run, then every failure; read from the landing log at first use."""
        rejected = [RecordError(letter["record"], letter["reason"], letter["rule"]) for letter in self.records.dead()]
        return rejected + [RecordError(None, mask(str(error))) for error in self.report.errors]

    @cached_property
    def ids(self) -> list[Any]:
        """Keys of the rows loaded, by the first destination that has a key: values, or tuples of several columns.

        Read from the landing log at first use; empty where no destination has a key.
        """
        return list(self.records.ids())

    @property
    def success_rate(self) -> float:
        """``success_count / total``, 0 to 1; 1 for a run that read nothing and failed nowhere."""
        if not self.total:
            return 0.0 if self.error_count else 1.0
        return self.success_count / self.total

    @property
    def elapsed_seconds(self) -> float:
        """Wall-clock seconds."""
        return self.report.seconds

    @property
    def records_per_second(self) -> float:
        """Rows read in a second of the run."""
        return self.total / self.report.seconds if self.report.seconds else 0.0

    def __repr__(self) -> str:
        """The figures a notebook shows."""
        return (
            f"RunResult(status={self.status!r}, total={self.total}, success_count={self.success_count}, "
            f"error_count={self.error_count}, elapsed_seconds={self.elapsed_seconds:.3f})"
        )

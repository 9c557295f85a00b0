"""What rules and transforms did to a batch: figures for people, runs and Dagster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What one quality rule found in one batch.

    Attributes:
        id: the rule's id.
        type: its type (required, regex, …).
        severity: error, warning or info.
        failed: rows that failed; for rules on the whole batch, 0 or 1.
        checked: rows looked at.
        detail: one sentence for people.
        sample: up to 10 failing rows as JSON-ready mappings.
    """

    id: str
    type: str
    severity: Literal["error", "warning", "info"]
    failed: int
    checked: int
    detail: str = ""
    sample: tuple[Mapping[str, Any], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return self.failed == 0


@dataclass(frozen=True, slots=True)
class TransformOutcome:
    """Counts of one transform over one batch, or summed over several: in - dropped - rejected + added = out.

    Attributes:
        label: the transform's label.
        kind: its kind.
        rows_in: rows that came in.
        rows_out: rows that went out.
        seconds: wall-clock seconds.
        error: why an optional transform was skipped; None if it was not.
        dropped: rows that have no row behind it, dead letters not counted.
        added: rows behind it that are more than the row they come from.
        rejected: rows that it could not transform: dead letters.
        skipped: batches for which it was skipped, because it failed and is not required.
        note: one sentence on what the figures do not tell; empty for none.
    """

    label: str
    kind: str
    rows_in: int
    rows_out: int
    seconds: float
    error: str | None = None
    dropped: int = 0
    added: int = 0
    rejected: int = 0
    skipped: int = 0
    note: str = ""

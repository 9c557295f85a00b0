"""Counts and samples of failing rows, rule by rule, over the chunks of one batch."""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines.kernels import call
from platform_pipelines.outcomes import RuleOutcome
from platform_pipelines.rows import to_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.quality.rowtest import RowTest
    from platform_pipelines.quality.words import Mask

#: failing rows kept of each rule
SAMPLE_ROWS = 10
#: the largest integer that every reader of JSON takes exactly (RFC 8259)
_EXACT_INTEGER = 2**53


@dataclass(slots=True)
class Tally:
    """Counts of one rule."""

    test: RowTest
    failed: int = 0
    _sample: list[dict[str, Any]] = field(default_factory=list)

    def add(self, rows: pa.RecordBatch, failing: Mask | None) -> None:
        """Count the failing rows of one chunk and keep the first few."""
        if failing is None:
            return
        indices = call("indices_nonzero", failing)
        self.failed += len(indices)
        wanted = indices.slice(0, SAMPLE_ROWS - len(self._sample))
        if len(wanted):
            taken = rows.take(wanted)
            reasons = self.test.reasons(taken).to_pylist()
            self._sample += [
                {**plain(row), "_pipelines_reason": reason} for row, reason in zip(to_rows(taken), reasons, strict=True)
            ]

    def outcome(self, checked: int) -> RuleOutcome:
        """The rule's outcome over ``checked`` rows."""
        test = self.test
        detail = f"{self.failed:,} of {checked:,} rows failed: {test.statement}."
        return RuleOutcome(test.id, test.type, test.severity, self.failed, checked, detail, tuple(self._sample))


def plain(value: Any) -> Any:  # noqa: ANN401, PLR0911 - any Arrow value as JSON, case by case
    """A value as JSON keeps it without loss: text for decimals, times, large integers and bytes."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal | dt.timedelta):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) > _EXACT_INTEGER:
        return str(value)
    return value if isinstance(value, int | float | str | None) else str(value)

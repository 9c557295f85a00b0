"""A few rows for people: JSON-ready, short, masked."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines.rows import to_rows
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    import pyarrow as pa

#: rows of a sample
ROWS = 10
_TEXT = 200


def sample_rows(batch: pa.RecordBatch, limit: int = ROWS) -> tuple[dict[str, Any], ...]:
    """The first rows of a batch, JSON-ready; long texts are cut."""
    return tuple({name: show(value) for name, value in row.items()} for row in to_rows(batch.slice(0, limit)))


def show(value: Any, limit: int = _TEXT) -> Any:  # noqa: ANN401 - any value of a row
    """A value as JSON can hold it; exact numbers and times become text, texts are cut at ``limit``."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): show(item, limit) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [show(item, limit) for item in value[:20]]
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    text = value.hex() if isinstance(value, bytes) else str(value)
    text = mask(text) if not isinstance(value, Decimal) else text
    return text if len(text) <= limit else text[: limit - 1] + "…"

"""The rows that the contract suites move, chosen for the values that systems get wrong.

What is expected of them is left to the suites.
"""
# ruff: noqa: PLR2004 - figures are what the rows are about

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.model import Page

_UTC = dt.UTC


def people() -> pa.Table:
    """Seven rows: text that needs care, large integers with NULL, decimals, days, instants to the microsecond."""
    import pyarrow as pa

    fields: dict[str, pa.DataType] = {
        "id": pa.int64(),
        "name": pa.string(),
        "zip": pa.string(),
        "big": pa.int64(),
        "amount": pa.decimal128(20, 4),
        "born": pa.date32(),
        "active": pa.bool_(),
        "updated_at": pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema(fields)
    names = ["Ada", "", None, 'quo"te, comma', "line\nbreak", "Zoë 🐘 ¯\\_(ツ)_/¯", "NA"]
    rows = [
        {
            "id": i,
            "name": name,
            "zip": f"0012{i}",
            "big": None if i == 2 else 9_223_372_036_854_775_807 - i,
            "amount": Decimal("1234567890123456.7891") + i,
            "born": dt.date(1815, 12, i + 1),
            "active": None if i == 3 else i % 2 == 0,
            "updated_at": dt.datetime(2026, 1, i + 1, 23, 59, 59, 999_999, _UTC),
        }
        for i, name in enumerate(names)
    ]
    return pa.Table.from_pylist(rows, schema)


def versions(*rows: tuple[int, str | None, int | None]) -> pa.Table:
    """Rows of a table to be merged: (id, value, version)."""
    import pyarrow as pa

    fields: dict[str, pa.DataType] = {"id": pa.int64(), "value": pa.string(), "version": pa.int64()}
    schema = pa.schema(fields)
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)


def records(pages: list[Page]) -> list[dict[str, Any]]:
    """The rows of pages."""
    return [record for page in pages for batch in page.batches for record in batch.to_pylist()]

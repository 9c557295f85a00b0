"""The column that orders versions of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.transforms.step import CURSOR_COLUMN

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.engine.context import Context


def order_column(context: Context, schema: pa.Schema) -> str | None:
    """The cursor, under its own name or carried along; None where the rows have none."""
    cursor = context.pipeline.source.cursor
    if cursor is not None:
        for name in (CURSOR_COLUMN, cursor.field):  # where both are there, the second is computed
            if name in schema.names:
                return name
    return None

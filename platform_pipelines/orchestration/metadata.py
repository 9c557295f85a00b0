"""Reports as metadata: figures that Dagster plots, texts and tables that it shows.

Column schemas and lineage are left to ``columns`` and ``lineage``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dagster as dg

from platform_pipelines.engine.report import Landed, Loaded, Validated
from platform_pipelines.engine.report import figures as transform_figures
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from platform_pipelines.orchestration.stages import Report

Metadata = dict[str, Any]
#: rows of a table in metadata at most
ROWS = 10


def figures(report: Report) -> Metadata:
    """Everything a report counts; rows, bytes, seconds, and rows per second as numbers."""
    if isinstance(report, Landed):
        return _landed(report)
    if isinstance(report, Validated):
        return _validated(report)
    return _loaded(report)


def table(rows: Iterable[Mapping[str, Any]], limit: int = ROWS) -> dg.TableMetadataValue | None:
    """Up to ``limit`` rows as a table, values as short texts without secrets; None where there are none."""
    shown = list(rows)[:limit]
    if not shown:
        return None
    names = list(dict.fromkeys(name for row in shown for name in row))
    schema = dg.TableSchema(columns=[dg.TableColumn(name=str(name)) for name in names])
    records = [dg.TableRecord({str(name): _cell(row.get(name)) for name in names}) for row in shown]
    return dg.MetadataValue.table(records=records, schema=schema)


def _landed(report: Landed) -> Metadata:
    found: Metadata = {
        "rows_read": report.read,
        "rows_landed": report.rows,
        "rows_deduplicated": report.deduplicated,
        "rows_filtered": report.filtered,
        "rows_rejected": report.rejected,
        **_speed(report.batches, report.bytes, report.seconds, report.read),
        **_row_count(report, report.rows),
    }
    if report.watermark_to is not None:
        found["watermark"] = dg.MetadataValue.text(report.watermark_to.text)
    if report.watermark_from is not None:
        found["watermark_before"] = dg.MetadataValue.text(report.watermark_from.text)
    return found | _transforms(report)


def _validated(report: Validated) -> Metadata:
    found: Metadata = {
        "rows_read": report.rows_in,
        "rows_valid": report.rows_out,
        "rows_filtered": report.filtered,
        "rows_rejected": report.rejected,
        "rows_flagged": report.flagged,
        "quality_score": float(report.score),
        **_speed(report.batches, report.bytes, report.seconds, report.rows_in),
        **_row_count(report, report.rows_out),
    }
    if (sample := table(report.sample)) is not None:
        found["sample"] = sample
    return found | _transforms(report)


def _loaded(report: Loaded) -> Metadata:
    found: Metadata = {
        "rows_read": report.read,
        "rows_loaded": report.rows,
        "rows_deduplicated": report.deduplicated + report.landed_twice,
        "rows_filtered": report.filtered,
        "rows_rejected": report.rejected,
        **_speed(report.batches, report.bytes, report.seconds, report.rows),
        **_row_count(report, report.rows),
    }
    if report.ddl:
        found["schema_changes"] = dg.MetadataValue.md("```sql\n" + ";\n".join(report.ddl) + "\n```")
    return found


def _transforms(report: Landed | Validated) -> Metadata:
    """What each transform did, as a table without a limit of rows, and a figure for those that were skipped."""
    rows = transform_figures(report.transforms)
    shown = table(rows, len(rows))
    if shown is None:
        return {}
    skipped = sum(item.skipped > 0 for item in report.transforms)
    return {"transforms": shown} | ({"transforms_skipped": skipped} if skipped else {})


def _speed(batches: int, size: int, seconds: float, rows: int) -> Metadata:
    return {
        "batches": batches,
        "bytes": size,
        "seconds": round(float(seconds), 3),
        "rows_per_second": round(rows / seconds, 1) if seconds > 0 else 0.0,
    }


def _row_count(report: Report, rows: int) -> Metadata:
    """Dagster's own figure, only where something was materialized: a table is not empty because nothing was new."""
    if not report.batches:
        return {}
    return {"dagster/row_count" if report.feed.partition is None else "dagster/partition_row_count": rows}


def _cell(value: Any) -> str | int | float | bool | None:  # noqa: ANN401 - any value of a row
    if value is None or isinstance(value, bool | int | float):
        return value
    return mask(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))

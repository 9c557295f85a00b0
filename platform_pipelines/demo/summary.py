"""What the demo prints: counts of each run, dead letters by rule, what the warehouse says."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from platform_pipelines.demo.table import text_table
from platform_pipelines.duck import connect
from platform_pipelines.engine import dead_letters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_pipelines.engine import Project, RunReport

WAREHOUSE = "data/warehouse.duckdb"
#: dead letters looked at for the count by rule
_LIMIT = 1_000_000
_TABLES = "select schema_name, table_name from duckdb_tables() where not starts_with(table_name, '_')"
_WORST = """
    select carrier, carrier_name, month, flights, round(avg_dep_delay, 1), round(avg_arr_delay, 1)
    from marts.delays_by_carrier where departed >= 100 order by avg_dep_delay desc, carrier, month limit 10
"""


def print_summary(project: Project, reports: Sequence[RunReport]) -> None:
    """Write the summary of a demo run to standard output."""
    sections = [
        ("Runs: rows read, and what became of them", _runs(reports)),
        ("Open dead letters by rule", _dead_letters(project)),
        ("Rows in the warehouse", _tables(project)),
        ("Longest departure delays by carrier and month (minutes)", _delays(project, reports)),
    ]
    for title, table in sections:
        sys.stdout.write(f"\n{title}\n{table}\n")
    for report in reports:
        if report.error:
            sys.stdout.write(f"\n{report.pipeline}: {report.error}\n")
    sys.stdout.write("\nOpen the UI with `make dev`, then http://localhost:3000\n")


def _runs(reports: Sequence[RunReport]) -> str:
    places = list(dict.fromkeys(name for report in reports for name in report.destinations))
    head = ["pipeline", "status", "read", "filtered", "deduplicated", "rejected", "flagged"]
    rows = []
    for report in reports:
        loaded = [report.destinations[name].rows if name in report.destinations else None for name in places]
        counts = [report.read, report.filtered, report.deduplicated, report.rejected, report.flagged]
        watermark = report.to_json()["watermark"]["to"]
        rows.append([report.pipeline, report.status, *counts, *loaded, watermark, f"{report.seconds:.1f}"])
    return text_table([*head, *(f"loaded: {name}" for name in places), "watermark", "seconds"], rows)


def _dead_letters(project: Project) -> str:
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for name in project.catalog.pipelines:
        for letter in dead_letters(project, name, _LIMIT):
            found = (name, str(letter["rule"]))
            counts[found] += 1
            examples.setdefault(found, str(letter["reason"]))
    return text_table(
        ["pipeline", "rule", "dead letters", "for example"],
        [[*found, number, examples[found]] for found, number in counts.most_common()],
    )


def _tables(project: Project) -> str:
    found = _query(
        project, "select schema_name, table_name from duckdb_tables() where table_name not like '!_%' escape '!'"
    )
    names = sorted(f'"{schema}"."{table}"' for schema, table in found)
    rows = [[name.replace('"', ""), _query(project, f"select count(*) from {name}")[0][0]] for name in names]
    return text_table(["table", "rows"], rows)


def _delays(project: Project, reports: Sequence[RunReport]) -> str:
    head = ["carrier", "name", "month", "flights", "departure", "arrival"]
    built = any(report.pipeline == "delays" and report.exit_code == 0 for report in reports)
    return text_table(head, _query(project, _WORST) if built else [])


def _query(project: Project, sql: str) -> list[tuple[Any, ...]]:
    warehouse = project.root / WAREHOUSE
    if not warehouse.exists():
        return []
    connection = connect(warehouse, read_only=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()

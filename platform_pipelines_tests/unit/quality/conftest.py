from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines import duck
from platform_pipelines.quality.judge import judge
from platform_pipelines.spec.quality import QualitySpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa

    from platform_pipelines.outcomes import RuleOutcome
    from platform_pipelines.quality.judgement import Judgement

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


class Court:
    """Judges a small table and keeps what came of it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.tables: dict[str, pa.Table] = {}
        self.good: list[dict[str, Any]] = []
        self.bad: list[dict[str, Any]] = []

    def lookup(self, connector: str, table: str, columns: tuple[str, ...]) -> pa.RecordBatchReader:
        return self.tables[f"{connector}.{table}"].select(list(columns)).to_reader()

    def judge(self, rows: pa.Table, *rules: dict[str, Any], cursor: str | None = None, **quality: Any) -> Judgement:
        self.good, self.bad = [], []
        self.connection.register("batch", rows)
        return judge(
            self.connection,
            "batch",
            QualitySpec.model_validate({"rules": list(rules), **quality}),
            cursor=cursor,
            lookup=self.lookup,
            now=NOW,
            sink_good=lambda batch: self.good.extend(batch.to_pylist()),
            sink_bad=lambda batch: self.bad.extend(batch.to_pylist()),
        )

    def outcome(self, rows: pa.Table, rule: dict[str, Any], cursor: str | None = None) -> RuleOutcome:
        return self.judge(rows, rule, cursor=cursor).rules[0]


@pytest.fixture
def court() -> Iterator[Court]:
    connection = duck.connect()
    yield Court(connection)
    connection.close()

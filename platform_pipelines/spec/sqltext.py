"""SQL texts in the YAML, parsed but not run, by the engine that will run them.

Slow to import, so only ``pipelines check`` asks for it. What a text may *do* is
decided where it is run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from platform_pipelines.spec.pipeline import PipelineSpec
    from platform_pipelines.spec.problems import Problems


def check_sql(spec: PipelineSpec, problems: Problems) -> None:
    """Report SQL and conditions that DuckDB cannot parse."""
    texts = list(_texts(spec))
    if not texts:
        return
    import duckdb

    with duckdb.connect() as connection:
        for text, statement, path in texts:
            problem = _problem(connection, statement)
            if problem:
                problems.add(f"{text!r} is not SQL that DuckDB can read: {problem}", *path)


def _texts(spec: PipelineSpec) -> Iterator[tuple[str, str, tuple[int | str, ...]]]:
    for index, transform in enumerate(spec.transforms):
        path: tuple[int | str, ...] = ("transforms", index, "body")
        if isinstance(transform.body, str) and transform.kind in {"sql", "filter"}:
            text = transform.body
            yield text, text if transform.kind == "sql" else _condition(text), path
    for index, rule in enumerate(spec.quality.rules):
        if rule.type == "condition":
            yield rule.sql, _condition(rule.sql), ("quality", "rules", index, "sql")


def _condition(text: str) -> str:
    return f"select * from input where (\n{text}\n)"


def _problem(connection: duckdb.DuckDBPyConnection, statement: str) -> str | None:
    import duckdb

    try:
        found = connection.extract_statements(statement)
    except duckdb.ParserException as error:
        return str(error).split("\n", 1)[0].removeprefix("Parser Error: ")
    if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
        return "one SELECT, or one condition, is allowed."
    return None

"""Names as long as PostgreSQL allows, and columns that it computes itself, on their way to DuckDB and Parquet and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from platform_pipelines.api.pipeline import Pipeline
from platform_pipelines.duck import quote
from platform_pipelines_tests import tables

if TYPE_CHECKING:
    from pathlib import Path

#: 63 bytes each; the first two differ in their last character alone
LONG = ["x" * 63, "x" * 62 + "y", "ü" * 31 + "z", "🐘" * 15 + "abc", 'quo"te ' * 9]
GENERATED = {"double": "bigint", "virtual": "bigint", "number": "integer", "counted": "bigint"}
DUCK = {"double": "BIGINT", "virtual": "BIGINT", "number": "INTEGER", "counted": "BIGINT"}


def _run(root: Path, dsn: str, origin: tuple[str, str], targets: dict[str, str], **more: Any) -> None:
    connectors = {
        "app": {"type": "postgres", "dsn": dsn},
        "duckdb": {"type": "duckdb", "path": str(root / "out.duckdb")},
        "parquet": {"type": "files", "root": str(root / "lake"), "format": "parquet"},
    }
    config = {
        "name": f"from_{origin[0]}",
        "source": {"connector": origin[0], "stream": origin[1], "mode": "full_refresh"} | more,
        "destinations": [
            {"name": to, "connector": to, "table": table, "mode": "merge", "key": ["id"]}
            for to, table in targets.items()
        ],
    }
    done = Pipeline.from_config(config, connectors=connectors, store=str(root / "store")).run()
    assert done.status == "success", done.errors


@pytest.mark.parametrize("name", LONG)
def test_names_of_63_bytes(tmp_path: Path, postgres_database: str, name: str) -> None:
    """A table and its columns, merged twice, and back under the same names."""
    assert {len(each.encode()) for each in LONG} == {63}
    columns = ", ".join(f"{quote(each)} int" for each in LONG)
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(f"create table {quote(name)} (id int, at int, {columns})".encode())
        cursor = {"mode": "incremental", "cursor": {"field": "at"}}
        expected = {}
        for turn in (1, 2):
            values = [10 * turn + place for place in range(len(LONG))]
            row = ", ".join(map(str, [turn, *values]))
            connection.execute(f"insert into {quote(name)} values ({turn}, {row})".encode())
            expected[turn] = tuple(values)
            _run(tmp_path, postgres_database, ("app", f"public.{name}"), {"duckdb": name, "parquet": name}, **cursor)
        shown = ", ".join(quote(each) for each in LONG)
        for kind in ("duckdb", "parquet"):
            table = quote(name) if kind == "duckdb" else name
            assert tables.rows_of(kind, tmp_path, "", f"id, {shown}", table) == expected
            _run(tmp_path, postgres_database, (kind, name), {"app": f"{kind}.{name}"})
            back = tables.rows_of("postgres", tmp_path, postgres_database, f"id, {shown}", f"{kind}.{quote(name)}")
            assert back == expected


def test_generated_columns_arrive_as_values(tmp_path: Path, postgres_database: str) -> None:
    """Stored, virtual where the server has such, identities and serials; they follow when what they are made of changes."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        virtual = "virtual" if connection.info.server_version >= 180000 else "stored"
        connection.execute(
            "create table t (id int, at int, v bigint, double bigint generated always as (v * 2) stored, "
            f"virtual bigint generated always as (v + 1) {virtual}, "
            "number int generated always as identity, counted bigserial)".encode()
        )
        cursor = {"mode": "incremental", "cursor": {"field": "at"}}
        connection.execute("insert into t (id, at, v) values (1, 1, 4611686018427387903), (2, 1, null)")
        _run(tmp_path, postgres_database, ("app", "t"), {"duckdb": "out", "parquet": "out"}, **cursor)
        connection.execute("update t set v = -5, at = 2 where id = 2")
        _run(tmp_path, postgres_database, ("app", "t"), {"duckdb": "out", "parquet": "out"}, **cursor)
        expected = {1: (9223372036854775806, 4611686018427387904, 1, 1), 2: (-10, -4, 2, 2)}
        for kind in ("duckdb", "parquet"):
            assert tables.rows_of(kind, tmp_path, "", f"id, {', '.join(GENERATED)}") == expected
            types = ", ".join(f"typeof({name})" for name in DUCK)
            assert tables.rows_of(kind, tmp_path, "", f"id, {types}") == dict.fromkeys(expected, tuple(DUCK.values()))
            _run(tmp_path, postgres_database, (kind, "out"), {"app": f"{kind}.out"})
            back = tables.rows_of("postgres", tmp_path, postgres_database, f"id, {', '.join(GENERATED)}", f"{kind}.out")
            assert back == expected
            kinds = connection.execute(
                "select attname, format_type(atttypid, atttypmod) from pg_attribute "
                "where attrelid = %s::regclass and attname = any(%s)",
                [f"{kind}.out", list(GENERATED)],
            ).fetchall()
            assert dict(kinds) == GENERATED

"""No type of PostgreSQL is left out: the golden table has all that the server of the tests has, and arrays of all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest

from platform_pipelines.duck import quote
from platform_pipelines_tests.integration import golden_arrays
from platform_pipelines_tests.integration.golden import GOLDEN
from platform_pipelines_tests.integration.golden_arrays import COLUMNS, ELEMENTS, NATURAL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("golden")

#: types that a column may have and that nobody can write a value of: the server fills them in its own catalogs
WITHOUT_INPUT = {
    "gtsvector",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_ndistinct",
    "pg_node_tree",
}
#: base, range and multirange types, no arrays; arrays are those of the same
_TYPES = """
select format_type(oid, null) from pg_type
where typnamespace = 'pg_catalog'::regnamespace and typtype in ('b', 'r', 'm')
  and not (typcategory = 'A' and typsubscript = 'array_subscript_handler'::regproc and typlen = -1 and typelem <> 0
           and exists (select 1 from pg_type each where each.typarray = pg_type.oid))
"""
_ARRAYS = """
select format_type(each.typarray, null) from pg_type each
where each.typnamespace = 'pg_catalog'::regnamespace and each.typtype in ('b', 'r', 'm') and each.typarray <> 0
"""


@pytest.fixture
def connection(postgres_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(
            "set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres'; "
            "set bytea_output = 'hex'; set extra_float_digits = 1"
        )
        yield connection


def _names(connection: psycopg.Connection, kinds: list[str]) -> set[str]:
    """Types as the catalog calls them, without length or scale; those that are none of the server's own are left out."""
    found = connection.execute("select format_type(to_regtype(kind), null) from unnest(%s::text[]) kind", [kinds])
    return {name for (name,) in found.fetchall() if name is not None and name != "-"}


def test_the_golden_table_has_every_type(connection: psycopg.Connection) -> None:
    known = {name for (name,) in connection.execute(_TYPES).fetchall()}
    assert {"integer", "text", "int8range", "tstzmultirange", "int2vector"} <= known
    assert not {name for name in known if name.endswith("[]")}
    tried = _names(connection, [golden.kind for golden in GOLDEN])
    assert known - tried - WITHOUT_INPUT == set()
    assert known >= WITHOUT_INPUT, "an exception that is none any more"


@pytest.mark.parametrize("kind", sorted(WITHOUT_INPUT))
def test_an_exception_is_a_type_without_values(connection: psycopg.Connection, kind: str) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="cannot accept a value of type"):
        connection.execute(f"select ''::{kind}".encode())


def test_the_arrays_are_those_of_every_type(connection: psycopg.Connection) -> None:
    known = {name for (name,) in connection.execute(_ARRAYS).fetchall()}
    tried = _names(connection, [f"{golden.ddl}[]" for golden in ELEMENTS])
    assert known - tried == {f"{kind}[]" for kind in WITHOUT_INPUT} & known


@pytest.fixture
def copied(connection: psycopg.Connection, postgres_database: str, tmp_path: Path) -> Path:
    """The folder, after arrays of every type went everywhere."""
    golden_arrays.fill(connection)
    golden_arrays.copy(postgres_database, tmp_path)
    return tmp_path


def test_arrays_of_every_type_arrive(connection: psycopg.Connection, copied: Path) -> None:
    """Equal in text and type in PostgreSQL, straight and by way of Parquet; DuckDB and Parquet lose nothing."""
    source = _types_and_texts(connection, golden_arrays.SOURCE)
    for table in (golden_arrays.OUT, golden_arrays.BY_LAKE):
        assert _differing(_types_and_texts(connection, table), source) == {}
    back = {
        name: (source[name][0], _cast(connection, golden_arrays.BY_DUCK, name, f"::text[]::{golden.ddl}[]"))
        for name, golden in zip(COLUMNS, ELEMENTS, strict=True)
    }
    assert _differing(back, source) == {}
    _have_types(copied)


def _have_types(copied: Path) -> None:
    """What arrays become in DuckDB and Parquet, as docs/reference/types.md says."""
    live = json.loads((copied / "lake/arrays/_pipelines_loads.manifest").read_text())["files"]
    arrow = pq.read_schema(copied / "lake/arrays" / live[0]["name"])
    with duckdb.connect(str(copied / "out.duckdb"), read_only=True) as database:
        kinds = {row[0]: row[1] for row in database.execute("describe out.out.arrays").fetchall()}
    for name, golden in zip(COLUMNS, ELEMENTS, strict=True):
        duck, element = (golden.duck, golden.arrow) if golden.kind in NATURAL else ("VARCHAR", "string")
        assert (name, kinds[name], str(arrow.field(name).type)) == (name, f"{duck}[]", f"list<element: {element}>")


Texts = dict[str, tuple[str, list[str | None]]]


def _types_and_texts(connection: psycopg.Connection, table: str) -> Texts:
    types = dict(
        connection.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s::regclass", [table]
        ).fetchall()
    )
    return {name: (types[name], _cast(connection, table, name)) for name in COLUMNS}


def _cast(connection: psycopg.Connection, table: str, name: str, cast: str = "") -> list[str | None]:
    query = f"select {quote(name)}{cast}::text from {table} order by id"
    return [text for (text,) in connection.execute(query.encode()).fetchall()]


def _differing(found: Texts, expected: Texts) -> dict[str, tuple[object, object]]:
    return {name: (found[name], expected[name]) for name in expected if found[name] != expected[name]}

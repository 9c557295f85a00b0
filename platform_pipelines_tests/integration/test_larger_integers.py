"""Integers that arrive for a column of doubles or decimals.

Put in where they are exact; decimals get the digits they need, and no more;
doubles refuse what they would round.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.errors import InvalidData, SchemaDrift
from platform_pipelines.model import Feed, Load, Offset, Stream, Window

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.model import Receipt

FEED = Feed("p")


@pytest.fixture(params=["duckdb", "postgres"])
def connector(request: pytest.FixtureRequest, tmp_path: Path) -> Connector:
    if request.param == "duckdb":
        return DuckDBConnector(path=tmp_path / "w.duckdb")
    return PostgresConnector(dsn=request.getfixturevalue("postgres_database"))


def load(connector: Connector, rows: pa.Table, sequence: int, *, fresh: bool = False, **changes: Any) -> Receipt:
    previous = Offset(1, sequence - 1) if sequence > 1 else None
    offset = Offset(2, 1) if fresh else Offset(1, sequence)
    order = Load(FEED, "t", "append", rows.schema, offset, rows.num_rows, "pt-1", previous=previous, fresh=fresh)
    return connector.load(replace(order, **changes), rows.to_reader())  # type: ignore[attr-defined,no-any-return]


def stored(connector: Connector) -> list[Any]:
    pages = connector.read(Stream("t"), Window(), None)  # type: ignore[attr-defined]
    return sorted((v for page in pages for batch in page.batches for v in batch.column("v").to_pylist()), key=str)


def integers(*values: int | None) -> pa.Table:
    return pa.table({"v": pa.array(values, pa.int64())})


def decimals(*values: str) -> pa.Table:
    return pa.table({"v": pa.array(map(Decimal, values), pa.decimal128(12, 2))})


def test_exact_integers_fit_into_doubles(connector: Connector) -> None:
    load(connector, pa.table({"v": [1.5]}), 1)
    load(connector, integers(1, None, -(2**53)), 2)
    assert stored(connector) == sorted([1.5, 1.0, None, -float(2**53)], key=str)


def test_integers_a_double_would_round_are_refused(connector: Connector) -> None:
    load(connector, pa.table({"v": [1.5]}), 1)
    with pytest.raises(SchemaDrift, match="is (?i:double.*), but the integer 9007199254740993 arrives"):
        load(connector, integers(2**53 + 1), 2)
    assert connector.offset(FEED, "t") == Offset(1, 1)  # type: ignore[attr-defined]


def test_a_full_refresh_may_give_up_doubles_for_integers(connector: Connector) -> None:
    load(connector, pa.table({"v": [1.5]}), 1)
    with pytest.raises(SchemaDrift, match="--allow-destructive"):
        load(connector, integers(2**53 + 1, 2), 2, fresh=True)
    load(connector, integers(2**53 + 1, 2), 2, fresh=True, allow_destructive=True)
    assert stored(connector) == [2, 2**53 + 1]


@pytest.mark.parametrize("mode", ["append", "merge"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_decimal_gets_the_digits_that_integers_need(connector: Connector, mode: str, sign: int) -> None:
    how = {"mode": mode, "key": ("v",) if mode == "merge" else ()}
    load(connector, decimals("1.25"), 1, **how)
    fits = load(connector, integers(sign * (10**10 - 1)), 2, **how)
    assert not fits.ddl
    grown = load(connector, integers(sign * 10**10, None) if mode == "append" else integers(sign * 10**10), 3, **how)
    assert "(13,2)" in " ".join(grown.ddl)
    assert [v for v in stored(connector) if v] == sorted(
        [Decimal("1.25"), Decimal(sign * (10**10 - 1)), Decimal(sign * 10**10)], key=str
    )


def test_a_full_refresh_finds_room_in_a_decimal(connector: Connector) -> None:
    load(connector, decimals("1.25"), 1)
    load(connector, integers(2**63 - 1), 2, fresh=True)
    assert stored(connector) == [Decimal(2**63 - 1)]


def test_no_decimal_of_duckdb_holds_both(tmp_path: Path) -> None:
    connector = DuckDBConnector(path=tmp_path / "w.duckdb")
    load(connector, pa.table({"v": pa.array([Decimal("0.5")], pa.decimal128(38, 37))}), 1)
    with pytest.raises(SchemaDrift, match=r"DECIMAL\(38,37\), but the integer 12 arrives"):
        load(connector, integers(12), 2)
    load(connector, integers(2), 2)
    load(connector, integers(12), 3, fresh=True, allow_destructive=True)
    assert stored(connector) == [12]


def test_integers_in_lists_of_doubles_are_refused_by_type(connector: Connector) -> None:
    load(connector, pa.table({"v": pa.array([[1.5]])}), 1)
    with pytest.raises(SchemaDrift, match="no type holds both exactly"):
        load(connector, pa.table({"v": pa.array([[2**53 + 1]])}), 2)


@pytest.mark.parametrize(("name", "said"), [("A", "differ in case alone"), ("", "has no name")])
def test_names_are_refused_before_values_are_looked_at(tmp_path: Path, name: str, said: str) -> None:
    connector = DuckDBConnector(path=tmp_path / "w.duckdb")
    load(connector, pa.table({"v": pa.array([Decimal("0.5")], pa.decimal128(12, 2)), "a": [1]}), 1)
    with pytest.raises(InvalidData, match=said):
        load(connector, pa.table({"v": [12], "a": [1], name: [2]}), 2)


@pytest.mark.parametrize(
    ("more", "said"), [(["x" * 64], "64 bytes; PostgreSQL"), ([f"c{n}" for n in range(1_600)], "allows 1600")]
)
def test_what_postgres_cannot_have_is_refused_before_values_are_looked_at(
    postgres_database: str, more: list[str], said: str
) -> None:
    connector = PostgresConnector(dsn=postgres_database)
    load(connector, decimals("1.25"), 1)
    with pytest.raises(InvalidData, match=said):
        load(connector, pa.table({"v": [12], **{name: [1] for name in more}}), 2)
    assert stored(connector) == [Decimal("1.25")]


def test_columns_that_are_there_already_count(postgres_database: str) -> None:
    connector = PostgresConnector(dsn=postgres_database)
    load(connector, pa.table({f"a{n}": [1] for n in range(1_000)}), 1)
    with pytest.raises(InvalidData, match="a table of 1601 columns; PostgreSQL allows 1600"):
        load(connector, pa.table({f"b{n}": [1] for n in range(600)}), 2)  # one more says which feed it was
    load(connector, pa.table({f"b{n}": [1] for n in range(599)}), 2)

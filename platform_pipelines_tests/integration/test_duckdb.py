"""DuckDB files: taking turns between processes and threads, exact values, growing schemas."""

from __future__ import annotations

import subprocess
import sys
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines import duck
from platform_pipelines.connectors import duckdb_session
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.errors import AccountingError, ConnectError, InvalidData, SchemaDrift
from platform_pipelines.model import Feed, Load, Mode, Offset, Receipt, Stream, Window
from platform_pipelines.rowfiles import RowFiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FEED = Feed("p")
_HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


def _load(rows: pa.Table, mode: Mode = "append", **changes: Any) -> Load:
    fields: dict[str, Any] = {"key": ("id",) if mode in {"merge", "update", "delete"} else (), "token": "pt", **changes}
    feed, offset = fields.pop("feed", _FEED), fields.pop("offset", Offset(1, 1))
    return Load(
        feed, fields.pop("table", "raw.t"), mode, rows.schema, offset, fields.pop("announced", rows.num_rows), **fields
    )


def _run(path: Path, rows: pa.Table, mode: Mode = "append", **changes: Any) -> Receipt:
    return DuckDBConnector(path=path).load(_load(rows, mode, **changes), rows.to_reader())


def _query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duck.connect(path) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that keeps the file open until its input ends."""
    _run(path, pa.table({"id": [1]}))
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process


def test_a_load_waits_for_another_process(path: Path, held: subprocess.Popen[str]) -> None:
    assert held.stdin
    timer = threading.Timer(0.5, held.stdin.close)
    timer.start()
    _run(path, pa.table({"id": [2]}), offset=Offset(1, 2), previous=Offset(1, 1))
    timer.join()
    assert _query(path, "select id from raw.t order by id") == [(1,), (2,)]


def test_who_holds_the_file_is_named(path: Path, held: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_session, "WAIT_SECONDS", 0.1)
    for attempt in (
        lambda: list(DuckDBConnector(path=path).read(Stream("raw.t"), Window(), None)),
        DuckDBConnector(path=path).check,
    ):
        with pytest.raises(ConnectError, match=f"in use by process {held.pid} "):
            attempt()


def test_threads_load_into_one_file_while_another_reads(path: Path) -> None:
    rows = pa.table({"id": list(range(1000)), "v": ["x"] * 1000})
    _run(path, rows, table="raw.read")
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            _run(path, rows, "merge", feed=Feed(f"p{number}"))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        pages = DuckDBConnector(path=path).read(Stream("raw.read"), Window(), None)
        assert sum(batch.num_rows for page in pages for batch in page.batches) == 1000
    for thread in threads:
        thread.join()
    assert errors == []
    assert _query(path, "select count(*), (select count(*) from raw._pipelines_loads) from raw.t") == [(1000, 5)]


def test_a_missing_file_is_an_error_of_a_source_only(path: Path) -> None:
    connector = DuckDBConnector(path=path)
    with pytest.raises(ConnectError, match="does not exist"):
        list(connector.read(Stream("t"), Window(), None))
    assert connector.offset(_FEED, "t") is None
    assert connector.plan_load(_load(pa.table({"id": [1]}))).ddl == (
        'create table "raw"."t" ("id" BIGINT, "_pipelines_feed" VARCHAR)',
    )
    assert not path.exists()


def test_a_check_creates_nothing(path: Path, tmp_path: Path) -> None:
    DuckDBConnector(path=tmp_path / "new" / "deep" / "warehouse.duckdb").check()
    assert list(tmp_path.iterdir()) == []
    path.touch()
    with pytest.raises(ConnectError, match="is no folder that can be written to"):
        DuckDBConnector(path=path / "warehouse.duckdb").check()


def test_what_is_no_database_is_said_so(path: Path) -> None:
    path.write_text("not a database, but long enough to be looked at " * 100)
    with pytest.raises(ConnectError, match="cannot be opened: .*not a valid DuckDB database"):
        DuckDBConnector(path=path).check()


_VALUES: list[tuple[str, pa.Array, str]] = [
    ("uint64", pa.array([2**64 - 1], pa.uint64()), "UBIGINT"),
    ("decimal", pa.array([Decimal("1" * 36 + ".25")], pa.decimal128(38, 2)), "DECIMAL(38,2)"),
    ("wide", pa.array([Decimal("1" * 48 + ".25")], pa.decimal256(50, 2)), "VARCHAR"),
    ("nanoseconds", pa.array([123_456_789], pa.timestamp("ns")), "TIMESTAMP_NS"),
    ("instant", pa.array([1], pa.timestamp("us", "Asia/Tokyo")), "TIMESTAMP WITH TIME ZONE"),
    ("category", pa.array(["a"]).dictionary_encode(), "VARCHAR"),
    ("nothing", pa.nulls(1), "VARCHAR"),
    ("bytes", pa.array([b"\x00"]), "BLOB"),
    ("nul", pa.array(["a\x00b"]), "VARCHAR"),
    ("struct", pa.array([{"a b": 1, "c": [{"d": "x"}]}]), 'STRUCT("a b" BIGINT, c STRUCT(d VARCHAR)[])'),
    ("map", pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "MAP(VARCHAR, BIGINT)"),
]


@pytest.mark.parametrize("landed", [True, False], ids=["file", "batches"])
@pytest.mark.parametrize(("values", "kind"), [case[1:] for case in _VALUES], ids=[case[0] for case in _VALUES])
def test_arrow_values_survive(path: Path, tmp_path: Path, values: pa.Array, kind: str, *, landed: bool) -> None:
    rows = pa.table({"x": values})
    pq.write_table(rows, tmp_path / "x.parquet")
    _run(path, rows, stored=RowFiles((tmp_path / "x.parquet",) if landed else ()))
    assert _query(path, "select data_type from duckdb_columns() where table_name = 't' and column_name = 'x'") == [
        (kind,)
    ]
    (page,) = DuckDBConnector(path=path).read(Stream("raw.t"), Window(), None)
    expected = (
        [str(value) for value in values.to_pylist()]
        if kind == "VARCHAR" and values.type != pa.null()
        else values.to_pylist()
    )
    assert page.batches[0].column("x").to_pylist() == expected


def test_postgres_types_that_travel_as_text(path: Path) -> None:
    kinds = {"doc": "jsonb", "key": "uuid", "price": "numeric", "net": "inet"}
    values = {"doc": '{"a": 1}', "key": "3b8e8b5e-1111-2222-3333-444455556666", "price": "0.10", "net": "::1"}
    schema = pa.schema([pa.field(n, pa.string(), metadata={b"pg_type": k.encode()}) for n, k in kinds.items()])
    _run(path, pa.Table.from_pylist([values], schema))
    types = dict(_query(path, "select column_name, data_type from duckdb_columns() where table_name = 't'"))
    assert [types[name] for name in kinds] == ["JSON", "UUID", "VARCHAR", "VARCHAR"]
    (page,) = DuckDBConnector(path=path).read(Stream("raw.t"), Window(), None)
    assert page.batches[0].to_pylist() == [values]
    assert page.batches[0].schema.field("doc").metadata == {b"pg_type": b"json"}


def test_types_that_only_duckdb_has_are_read(path: Path) -> None:
    with duck.connect(path) as connection:
        connection.execute(
            "create table t as select 12::hugeint as huge, 340282366920938463463374607431768211455::uhugeint as uhuge, "
            "'101'::bit as bits, 'a'::enum('a', 'b') as kind, interval 3 day as span, timestamptz 'infinity' as at, "
            "'x' as _pipelines_feed"
        )
    (page,) = DuckDBConnector(path=path).read(Stream("t"), Window(), None)
    batch = page.batches[0]
    assert batch.schema.names == ["huge", "uhuge", "bits", "kind", "span", "at"]
    assert batch.drop_columns("at").to_pylist() == [
        {
            "huge": Decimal(12),
            "uhuge": "340282366920938463463374607431768211455",
            "bits": "101",
            "kind": "a",
            "span": "3 days",
        }
    ]
    assert batch.column("at").cast(pa.int64()).to_pylist() == [2**63 - 1]


@pytest.mark.parametrize(
    ("have", "arriving", "becomes"),
    [
        ("INTEGER", pa.array([2**40]), "BIGINT"),
        ("UTINYINT", pa.array([-1], pa.int8()), "SMALLINT"),
        ("BIGINT", pa.array([Decimal("1.5")], pa.decimal128(10, 1)), "DECIMAL(20,1)"),
        ("HUGEINT", pa.array([Decimal(1)], pa.decimal128(38, 0)), "HUGEINT"),
        ("FLOAT", pa.array([0.1]), "DOUBLE"),
        ("DATE", pa.array([1], pa.timestamp("us")), "TIMESTAMP"),
        ("INTEGER[]", pa.array([[2**40]]), "BIGINT[]"),
        ("STRUCT(a INTEGER)", pa.array([{"a": 1, "b": "new"}]), "STRUCT(a BIGINT, b VARCHAR)"),
    ],
)
def test_types_widen(path: Path, have: str, arriving: pa.Array, becomes: str) -> None:
    with duck.connect(path) as connection:
        connection.execute(
            f"create schema raw; create table raw.t (id bigint primary key, x {have}); insert into raw.t values (1, null), (2, null)"
        )
    _run(path, pa.table({"id": [1], "x": arriving}), "merge")
    assert _query(path, "select typeof(x), count(x) over () from raw.t") == [(becomes, 1)] * 2


def test_a_type_that_does_not_fit_is_drift(path: Path) -> None:
    _run(path, pa.table({"id": [9], "x": [9]}), feed=Feed("other"))
    rows = pa.table({"id": [1], "x": ["text"]})
    with pytest.raises(SchemaDrift, match=r"'x' of raw.t is BIGINT, but VARCHAR arrives"):
        _run(path, rows)
    with pytest.raises(SchemaDrift, match="would lose values"):
        _run(path, rows, fresh=True)
    _run(path, rows, fresh=True, allow_destructive=True)
    assert _query(path, "select id, x, _pipelines_feed from raw.t order by id") == [
        (1, "text", "p"),
        (9, None, "other"),
    ]


def test_a_failed_load_leaves_rows_and_offset(path: Path) -> None:
    _run(path, pa.table({"id": [1]}))
    with pytest.raises(AccountingError, match="5 rows were announced for raw.t, but 2 arrived"):
        _run(
            path,
            pa.table({"id": [1, 2], "new": [1, 2]}),
            "merge",
            announced=5,
            offset=Offset(1, 2),
            previous=Offset(1, 1),
        )
    assert _query(path, "select id from raw.t") == [(1,)]
    assert DuckDBConnector(path=path).offset(_FEED, "raw.t") == Offset(1, 1)


def test_rows_that_cannot_be_stored_are_named(path: Path) -> None:
    with duck.connect(path) as connection:
        connection.execute(
            "create schema raw; create table raw.t (id integer, x json); create view raw.v as select 1 as id"
        )
    with pytest.raises(InvalidData, match="Malformed JSON"):
        _run(path, pa.table({"id": pa.array([1], pa.int32()), "x": ["no json"]}))
    with pytest.raises(InvalidData, match=r"raw\.v is a view"):
        _run(path, pa.table({"id": [1]}), table="raw.v")
    for mode in ("update", "delete"):
        with pytest.raises(InvalidData, match=rf"raw\.nope does not exist, and mode {mode}"):
            _run(path, pa.table({"id": [1]}), mode, table="raw.nope")
    with pytest.raises(InvalidData, match=r"has no column 'key', which is part of the key"):
        _run(path, pa.table({"key": [1]}), "merge", key=("key",))


def test_a_file_whose_name_looks_like_a_pattern_is_read_from_batches(path: Path, tmp_path: Path) -> None:
    rows = pa.table({"id": [1]})
    pq.write_table(rows, tmp_path / "a[1].parquet")
    pq.write_table(pa.table({"id": [2]}), tmp_path / "a1.parquet")
    _run(path, rows, stored=RowFiles((tmp_path / "a[1].parquet",)))
    assert _query(path, "select id from raw.t") == [(1,)]


def test_a_table_of_nothing_but_its_key(path: Path) -> None:
    _run(path, pa.table({"id": [1]}), "merge", table="raw.k")
    receipt = _run(path, pa.table({"id": [1]}), "update", table="raw.k", feed=Feed("other"))
    assert (receipt.loaded, receipt.superseded) == (1, 0)


def test_updates_and_deletes_by_part_of_a_key(path: Path) -> None:
    base = pa.table({"id": [1, 1, 2], "part": ["a", "b", "a"], "gone": pa.nulls(3, pa.string())})
    _run(path, base)
    changes = pa.table({"id": [1, 2, 9], "gone": pa.array([None, "yes", None])})
    receipt = _run(path, changes, "update", feed=Feed("u"), delete_field="gone", delete_action="hard")
    assert (receipt.staged, receipt.loaded, receipt.superseded) == (3, 2, 1)
    assert _query(path, "select id, part from raw.t order by part") == [(1, "a"), (1, "b")]
    receipt = _run(path, pa.table({"id": [1, 7]}), "delete", feed=Feed("d"))
    assert (receipt.staged, receipt.loaded, receipt.superseded) == (2, 1, 1)
    assert _query(path, "select count(*) from raw.t") == [(0,)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query": 5}, "Option `query` must be SQL text, not 5"),
        ({"columns": "id"}, "Option `columns` of stream 'raw.t' must be a list"),
        ({"columns": ["nope"]}, "has no column 'nope'. Its columns: id"),
        ({"where": "nope = 1"}, "nope"),
        ({"query": "selekt"}, "Parser Error: syntax error"),
    ],
)
def test_wrong_options_are_named(path: Path, options: dict[str, Any], message: str) -> None:
    _run(path, pa.table({"id": [1]}))
    with pytest.raises(InvalidData, match=message):
        list(DuckDBConnector(path=path).read(Stream("raw.t", options), Window(), None))


def test_streams_hide_bookkeeping(path: Path) -> None:
    _run(path, pa.table({"id": [1, 2]}))
    with duck.connect(path) as connection:
        connection.execute(
            "create table main.k (a int, b text, primary key (b, a)); create view raw.v as select 1 as one"
        )
    found = [
        (s.name, s.key, s.rows, s.schema.names if s.schema else None) for s in DuckDBConnector(path=path).streams()
    ]
    assert found == [("main.k", ("b", "a"), 0, ["a", "b"]), ("raw.t", (), 2, ["id"]), ("raw.v", (), None, ["one"])]

"""DuckDB, which judges, and pandera, which users may take away, give the same verdict on every row."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pandera.errors
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_pipelines import duck
from platform_pipelines.quality.frames import to_frame
from platform_pipelines.quality.judge import judge
from platform_pipelines.quality.schema import to_pandera
from platform_pipelines.spec.quality import QualitySpec

if TYPE_CHECKING:
    import duckdb

INT64 = st.one_of(st.integers(-3, 3), st.sampled_from([-(2**63), 2**63 - 1, 2**53, 2**53 + 1]))
FLOAT = st.one_of(st.sampled_from([0.0, -0.0, 0.1, 1.0, 1e308, -1e308]), st.floats(width=64))
TEXT = st.one_of(
    st.sampled_from(
        ["", " ", "a@b.c", "a@b.c\n", "12", "12\n", " 1.5 ", "1e999", "NaN", "٣", "é", "\u017f", "\u0085", "A", "x\ny"]
    ),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5),
)
DECIMAL = st.decimals(min_value=-1000, max_value=1000, places=2, allow_nan=False)
MOMENT = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 4))  # noqa: DTZ001
COLUMNS = {
    "i": (pa.int64(), INT64),
    "f": (pa.float64(), FLOAT),
    "t": (pa.string(), TEXT),
    "d": (pa.decimal128(9, 2), DECIMAL),
    "b": (pa.bool_(), st.booleans()),
    "ts": (pa.timestamp("us"), MOMENT),
    "tz": (pa.timestamp("us", "UTC"), MOMENT.map(lambda value: value.replace(tzinfo=dt.UTC))),
    "day": (pa.date32(), st.dates(dt.date(2020, 1, 1), dt.date(2020, 1, 4))),
}
PATTERNS = [
    r"^[^@]+@[^@]+\.[^@]+$", r"^\d+$", r"^\w*$", r"\s", r"^\S+\Z", r"\bx", r"(?i)^s", r"^.$", r"^[\w.-]+$", r"(a|b)$", r"^$",
    r"[^\d\s]", r"(?=1)", r"\u0085", r"\x41", r"a{1,2}", r"\D", r"^\W$", r"x.y", r"[]a]", r"1$|\s$",
]  # fmt: skip
NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([2**63 - 1, -(2**63), 2**63, 0.5, -0.1, 1e300]))
ACCEPTED = st.lists(
    st.one_of(
        NUMBERS,
        st.booleans(),
        st.sampled_from(["", "a", "12", "1.0", "true", "2020-01-02", "2020-01-02T03:00:00", "é"]),
    ),
    min_size=1,
    max_size=5,
)
TIMES = ("2020-01-01", "2020-01-02", "2020-01-03T12:00:00", "2020-01-03T12:00:00+02:00")


@st.composite
def ranges(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(st.sampled_from(["i", "f", "t", "d", "ts", "tz", "day"]))
    bounds = st.sampled_from(TIMES) if field in {"ts", "tz", "day"} else NUMBERS
    if field == "t" and draw(st.booleans()):
        bounds = st.sampled_from(["12", "a", "é"])
    low, high = draw(st.tuples(st.none() | bounds, st.none() | bounds))
    if low is None and high is None:
        low = draw(bounds)
    if low is not None and high is not None and low > high:
        low, high = high, low
    return {"type": "range", "field": field, "min": low, "max": high}


RULES = st.one_of(
    st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=2, unique=True).map(
        lambda names: {"type": "required", "fields": names}
    ),
    st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=2, unique=True).map(
        lambda names: {"type": "unique", "fields": names}
    ),
    st.tuples(st.sampled_from(["t", "i", "d", "day", "b"]), st.sampled_from(PATTERNS)).map(
        lambda pair: {"type": "regex", "field": pair[0], "pattern": pair[1]}
    ),
    ranges(),
    st.tuples(st.sampled_from(list(COLUMNS)), ACCEPTED).map(
        lambda pair: {"type": "accepted", "field": pair[0], "values": pair[1]}
    ),
    st.sampled_from(["i > 0", "t like 'a%'", "f < 1 or b", "i is not null", "input.d >= 0 and not b"]).map(
        lambda sql: {"type": "condition", "sql": sql}
    ),
    st.tuples(st.sampled_from(list(COLUMNS)), st.sampled_from(["i", "f", "t", "d", "day"])).map(
        lambda pair: {
            "type": "foreign_key",
            "field": pair[0],
            "reference": {"connector": "wh", "table": "t", "field": pair[1]},
        }
    ),
)


@st.composite
def tables(draw: st.DrawFn, most: int = 8) -> pa.Table:
    rows = draw(st.integers(0, most))
    return pa.table(
        {
            name: pa.array(draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), kind)
            for name, (kind, values) in COLUMNS.items()
        }
    )


@pytest.fixture(scope="module")
def connection() -> Any:
    with duck.connect() as connection:
        yield connection


def by_duckdb(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, quality: QualitySpec, reference: pa.Table
) -> dict[str, set[int]]:
    failed: dict[str, set[int]] = {rule.id: set() for rule in quality.rules}

    def bad(batch: pa.RecordBatch) -> None:
        for row in batch.to_pylist():
            for rule in row["_pipelines_rules"]:
                failed[rule].add(row["row"])

    connection.register("batch", rows.append_column("row", pa.array(range(len(rows)), pa.int64())))
    judgement = judge(
        connection,
        "batch",
        quality,
        cursor=None,
        lookup=lambda _connector, _table, columns: reference.select(list(columns)).to_reader(),
        now=dt.datetime.now(dt.UTC),
        sink_good=lambda _batch: None,
        sink_bad=bad,
    )
    assert {rule.id: rule.failed for rule in judgement.rules} == {name: len(found) for name, found in failed.items()}
    return failed


def by_pandera(rows: pa.Table, quality: QualitySpec, reference: pa.Table) -> dict[str, set[int]]:
    references = {
        rule.id: reference[rule.reference.field].combine_chunks()
        for rule in quality.rules
        if rule.type == "foreign_key"
    }
    failed: dict[str, set[int]] = {rule.id: set() for rule in quality.rules}
    frame = to_frame(rows)
    try:
        to_pandera(quality, references).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        for case in error.failure_cases.itertuples():
            failed[case.check].add(int(case.index))
    return failed


# pandera joins its reports by a call that pandas announces to change
@pytest.mark.filterwarnings("ignore:The behavior of (array|DataFrame) concatenation:FutureWarning")
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rows=tables(), reference=tables(4), rules=st.lists(RULES, min_size=1, max_size=3))
def test_duckdb_and_pandera_agree(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, reference: pa.Table, rules: list[dict[str, Any]]
) -> None:
    quality = QualitySpec.model_validate({"rules": [{**rule, "id": f"r{i}"} for i, rule in enumerate(rules)]})
    assert by_duckdb(connection, rows, quality, reference) == by_pandera(rows, quality, reference)

"""Whatever the reader of a JSON page, the values are those that a decoder without machine types gives."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from platform_pipelines.formats.json_convert import convert
from platform_pipelines.formats.json_page import PageReader
from platform_pipelines.formats.json_spool import PageSpool
from platform_pipelines.formats.json_types import PageTypes
from platform_pipelines.formats.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

DIGITS = st.text("0123456789", min_size=1, max_size=24)
INTEGERS = st.integers(-(10**22), 10**22).map(str)
FRACTIONS = st.builds(lambda whole, part: f"{int(whole)}.{part}", DIGITS, DIGITS)
EXPONENTS = st.builds(lambda number, power: f"{number}e{power}", st.integers(-999, 999), st.integers(-9, 9))
NUMBERS = st.one_of(INTEGERS, st.integers(-9, 9).map(str), FRACTIONS, EXPONENTS)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=6).map(json.dumps)
TIMES = st.sampled_from(["2026-01-31", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00.5+02:00", "2026-01-31T10:00:00"])
VALUES = st.sampled_from([NUMBERS, TEXTS, TIMES.map(json.dumps), st.sampled_from(["true", "false"])])
PAGES = VALUES.flatmap(lambda kind: st.lists(st.lists(kind | st.just("null"), min_size=1, max_size=4), max_size=3))


def _records(values: list[str]) -> str:
    return ",".join(f'{{"id": {index}, "x": {value}}}' for index, value in enumerate(values))


def _read(pages: list[str], path: tuple[str, ...] | None) -> list[pa.RecordBatch]:
    """The pages by the fastest reader that fits, or by the exact one alone if no path is given."""
    reader = PageReader("json", path, lambda document: document["data"])
    workspace, types = Workspace(), PageTypes("s")
    try:
        spool = PageSpool(workspace)
        for text in pages:
            page = reader.read(text.encode()) if path else reader._exactly(text.encode())
            types.look(page.batch)
            spool.add(page.batch)
        targets = types.settle(spool)
        converted = [convert(table, targets) for table in spool.tables()]
    finally:
        workspace.close()
    assert not any(rejected for _, rejected in converted)
    return [batch for batch, _ in converted]


def _values(batches: list[pa.RecordBatch]) -> list[Any]:
    return [value for batch in batches for value in batch.column("x").to_pylist()]


@settings(deadline=None, max_examples=60)
@given(PAGES.filter(bool))
def test_fast_and_exact_readers_give_the_same_types_and_values(pages: list[list[str]]) -> None:
    texts = [f'{{"data": [{_records(values)}], "next": null}}' for values in pages]
    fast, exact = _read(texts, ("data",)), _read(texts, None)
    assert {str(batch.schema) for batch in fast} == {str(batch.schema) for batch in exact}
    assert _values(fast) == _values(exact)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=4), min_size=1, max_size=3))
def test_numbers_keep_their_value_whichever_stand_beside_them(pages: list[list[str]]) -> None:
    texts = [f'{{"data": [{_records(values)}], "next": null}}' for values in pages]
    found = _values(_read(texts, ("data",)))
    written = [Decimal(value) for values in pages for value in values]
    assert [Decimal(repr(value) if isinstance(value, float) else value) for value in found] == written

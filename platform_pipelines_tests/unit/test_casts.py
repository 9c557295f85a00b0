"""Dates and times are told by DuckDB's own way to print them, and where that differs by their form: the same texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from platform_pipelines import duck
from platform_pipelines.formats import casts
from platform_pipelines.formats.options import TextOptions

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY = r"\d{4}-\d{2}-\d{2}"
_FORMS = {"DATE": _DAY, "TIMESTAMP": rf"{_DAY}([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{{1,6}})?)?)?"}
_TEXTS = (
    *("2024-02-29", "2023-02-29", "0001-01-01", "9999-12-31", "0000-01-01", "12024-01-01", "2024-1-1", "20240101"),
    *(" 2024-01-01", "2024-01-01 ", "2024/01/01", "-0044-03-15", "0044-03-15 (BC)", "infinity", "-infinity", "epoch"),
    *("2024-01-01 00:00", "2024-01-01T01:02:03", "2024-01-01 01:02:03", "2024-01-01 01:02:03.1", "2024-01-01 24:00:00"),
    *("2024-01-01 01:02:03.100", "2024-01-01 01:02:03.1234567", "2024-01-01 23:59:60", "2024-01-01 01:02:03Z"),
    *("2024-01-01 01:02:03+00", "9999-12-31 23:59:59.999999", "12024-01-01 00:00:00", "0044-03-15 00:00:00 (BC)"),
    *("0000-01-01 00:00:00", "2024-01-01 12", "", "x"),
)


@pytest.mark.parametrize("sql_type", ["DATE", "TIMESTAMP"])
@pytest.mark.parametrize("make", [casts.strict, casts.declared])
def test_texts_of_dates_and_times(sql_type: str, make: Callable[[str, TextOptions], casts.Cast]) -> None:
    cast = make(sql_type, TextOptions())
    with duck.session() as connection:
        connection.execute("create temp table texts as select unnest(?) as x", [list(_TEXTS)])
        columns = f"x, {cast.fits('x')}, {cast.exact('x', 'null')}, try_cast(x as {sql_type})"
        found = connection.execute(f"select {columns} from texts").fetchall()
    for text, fits, exact, value in found:
        good = re.fullmatch(_FORMS[sql_type], text) is not None and value is not None
        assert (fits, exact) == (good, value if good else None), text
    assert sum(fits for _, fits, *_ in found) >= len(_FORMS)

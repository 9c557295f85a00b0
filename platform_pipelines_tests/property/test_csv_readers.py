"""The careful CSV reader gives what DuckDB's reader gives, for any table that can be written as CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_pipelines import duck
from platform_pipelines.formats.csv_pieces import careful_piece, csv_pieces
from platform_pipelines.formats.inputs import find_inputs
from platform_pipelines.formats.options import TextOptions
from platform_pipelines.formats.rejects import Rejects
from platform_pipelines.formats.workspace import Workspace

if TYPE_CHECKING:
    import pytest

_TEXT = st.text(st.sampled_from("ab0 ,;\"'\n\réß🐘.-"), max_size=8) | st.sampled_from(["", "NA", '"', "00123", " x "])
_TABLES = st.integers(2, 4).flatmap(lambda n: st.lists(st.lists(_TEXT, min_size=n, max_size=n), min_size=1, max_size=6))


@given(
    table=_TABLES, ending=st.sampled_from(["\n", "\r\n"]), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
)
@settings(max_examples=150, deadline=None)
def test_both_readers_agree(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], ending: str, quoting: int
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=ending, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow([f"c{i}" for i in range(len(table[0]))])
    writer.writerows(table)
    (folder / "a.csv").write_bytes(out.getvalue().encode())
    workspace, options = Workspace(), TextOptions(null_values=("", "NA"))
    rejects = Rejects(workspace)
    (fast,) = csv_pieces(find_inputs(folder, "a.csv", "csv"), options, workspace)
    careful = careful_piece(fast, options, workspace, rejects)
    columns = ", ".join(fast.columns)
    with duck.connect() as connection:
        found = connection.execute(f"select {columns} from {careful.relation}").fetchall()
        if quoting == csv.QUOTE_ALL:
            assert found == [tuple(row) for row in table]
            assert rejects.count == 0
        try:
            assert connection.execute(f"select {columns} from {fast.relation}").fetchall() == found
        except duckdb.Error:  # it refuses line endings of two kinds; then the careful reader is what is used
            assert "\r" in out.getvalue()
    workspace.close()

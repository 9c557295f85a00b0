"""Reads Parquet files as they are: columns united by name, windows pushed down to row groups.

Folders may name further columns, see ``folder_columns``.

Which files is left to the connector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.errors import CursorError, InvalidData
from platform_pipelines.formats.folder_columns import united_rows
from platform_pipelines.model import TimeSlice
from platform_pipelines.sql.dialect import DUCKDB
from platform_pipelines.sql.duckdb_carried import all_but, replaced, types_in
from platform_pipelines.sql.predicates import families, window_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.formats.inputs import InputFile
    from platform_pipelines.formats.options import TextOptions
    from platform_pipelines.formats.workspace import Workspace
    from platform_pipelines.model import Rejected, Window

_ROWS = 65_536
#: Parquet knows of a time only whether it is UTC, and what writes that has seldom meant a zone
_UTC_TIMES = frozenset({"time with time zone"})


class ParquetRead:
    """A read of Parquet files.

    Args:
        files: what to read, in order.
        options: how they are packed.
        workspace: where archive members are unpacked; closed with this read.

    Raises:
        InvalidData: a file is no Parquet file, or types of one column do not unite.
    """

    def __init__(self, files: Sequence[InputFile], options: TextOptions, workspace: Workspace) -> None:
        import duckdb
        import pyarrow as pa

        self._workspace = workspace
        self._connection = duck.connect()
        self._paths = [workspace.plain(file, options) for file in files]
        try:
            united = united_rows(self._paths, files, workspace)
            result = self._connection.execute(f"select * from {united} limit 0")  # looks into every file
            self._as_text = replaced(types_in(result), but=_UTC_TIMES)
            self._relation = united
            if self._as_text:
                self._relation = f"(select {all_but(self._as_text)} from {united})"
                result = self._connection.execute(f"select * from {self._relation} limit 0")
            self.schema: pa.Schema = self._with_metadata(result.to_arrow_reader(1).schema)
        except (duckdb.Error, pa.ArrowInvalid) as error:
            labels = ", ".join(file.label for file in files[:3])
            msg = f"{labels}: not readable as Parquet of one table: {error}. Write them anew, or choose fewer of them."
            raise InvalidData(msg) from error
        duck.end(self._connection)
        self._connection = duck.connect_for(len(self.schema))

    def close(self) -> None:
        """Remove what was unpacked."""
        duck.end(self._connection)
        self._workspace.close()

    def rows(self, window: Window) -> Iterator[pa.RecordBatch]:
        """The rows of the window, file by file; at least one batch."""
        import pyarrow as pa

        self._check_order(window)
        where = window_sql(window, families(self.schema), DUCKDB) or "true"
        reader = self.cursor().execute(f"select * from {self._relation} where {where}").to_arrow_reader(_ROWS)
        empty = True
        for batch in reader:
            empty = False
            yield pa.RecordBatch.from_arrays(batch.columns, schema=self.schema)
        if empty:
            yield pa.RecordBatch.from_arrays([pa.array([], f.type) for f in self.schema], schema=self.schema)

    def rejected(self, window: Window) -> Iterator[Rejected]:  # noqa: ARG002 - as for text
        """Nothing: a Parquet file is readable or it is not."""
        return iter(())

    def spool(self) -> None:
        """Nothing to do: Parquet is not parsed."""

    def relation(self) -> str:
        """SQL of all rows, to be read by :meth:`cursor`."""
        return self._relation

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the read's DuckDB."""
        return duck.sibling(self._connection)

    def count(self) -> int:
        """Rows of all files, from their footers."""
        import pyarrow.parquet as pq

        return sum(pq.read_metadata(path).num_rows for path in self._paths)

    def _check_order(self, window: Window) -> None:
        field = window.field or (window.partition.field if isinstance(window.partition, TimeSlice) else None)
        if field in self._as_text:
            msg = f"Column {field!r} cannot be a cursor or a time: it is read as text, whose order is another."
            raise CursorError(msg)

    def _with_metadata(self, schema: pa.Schema) -> pa.Schema:
        """The schema with the field metadata that the files carry, which DuckDB does not pass on."""
        import pyarrow.parquet as pq

        for path in self._paths:
            for field in pq.read_schema(path):
                place = schema.get_field_index(field.name)
                if field.metadata and place >= 0 and not schema.field(place).metadata:
                    kept: dict[bytes | str, bytes | str] = {
                        k: v for k, v in field.metadata.items() if not k.startswith(b"PARQUET:")
                    }
                    schema = schema.set(place, schema.field(place).with_metadata(kept)) if kept else schema
        return schema

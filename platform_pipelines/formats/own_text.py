"""A table's own text files, read back as exactly what was written to them.

Files of strangers are read by ``text_read``, which doubts every value. It is asked first, for it
is fast; what it does not give back whole and in the table's types is read here, for here the types
and the writer's text of each are known. Which files are live is up to the manifest.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData, SchemaDrift
from platform_pipelines.formats.inputs import InputFile
from platform_pipelines.formats.own_json import Pairs, held_type, parsed, raw_cell, raw_type, raw_value
from platform_pipelines.formats.table_form import TableForm
from platform_pipelines.formats.text_read import TextRead
from platform_pipelines.model import Stream, Window
from platform_pipelines.timeunits import cast_batch, cast_table, parquet_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from platform_pipelines.formats.folder_manifest import FolderManifest, LiveFile
    from platform_pipelines.formats.options import TextOptions
    from platform_pipelines.formats.workspace import Workspace

_ROWS = 20_000
_WAY_OUT = (
    "Nothing was changed. Restore the file, or remove the table's folder and load it anew with "
    "`pipelines run NAME --full-refresh`."
)


def typed_copy(
    file: LiveFile, folder: Path, manifest: FolderManifest, options: TextOptions, workspace: Workspace
) -> Path:
    """A Parquet file in the workspace with the rows of a live text file.

    Raises:
        InvalidData: a record cannot be read, or the file has not as many as were written.
    """
    path = folder / file.name
    stat = path.stat()
    source = InputFile(file.name, path, None, stat.st_size, stat.st_mtime_ns)
    schema = manifest.schema()
    if schema is None:
        msg = f"The commit file of {folder} lists {file.name} and no schema. Restore it, or load the table anew."
        raise InvalidData(msg)
    written = manifest.form.options() if manifest.form else _as_written(options, schema)
    own = _Own(source, schema, written, workspace)
    try:
        copy, rows = own.strictly()
    except SchemaDrift:
        rows = -1
    if rows != file.rows:
        copy, rows = own.knowingly()
    if rows != file.rows:
        msg = f"{path} holds {rows} records that can be read, and {file.rows} were written to it. {_WAY_OUT}"
        raise InvalidData(msg)
    return copy


def _as_written(options: TextOptions, schema: pa.Schema) -> TextOptions:
    """How the writer writes, whatever is said of how strangers do: for tables that do not note it yet."""
    return TableForm.of("csv", options, schema.names).options()


class _Own:
    """One file, and what is known of it.

    Args:
        source: the file.
        schema: the table's.
        options: how it was written.
        workspace: gets the copies.
    """

    def __init__(self, source: InputFile, schema: pa.Schema, options: TextOptions, workspace: Workspace) -> None:
        self._source = source
        self._schema = schema
        self._options = options
        self._workspace = workspace
        self._csv = ".csv" in source.label

    def strictly(self) -> tuple[Path, int]:
        """The file as a stranger's, and the rows; -1 of them where types come out that are not the table's.

        Raises:
            SchemaDrift: a value is not in the usual form of its type.
        """
        import pyarrow as pa
        import pyarrow.types as t

        if any(t.is_nested(field.type) for field in self._schema):
            return self._source.path, -1
        read = self._read(self._schema)
        try:
            known = {field.name: field.type for field in self._schema}
            if any(known.get(field.name, field.type) not in {field.type, pa.null()} for field in read.schema):
                return self._source.path, -1
            return self._kept(read.schema, read.rows(Window()))
        finally:
            read.close()

    def knowingly(self) -> tuple[Path, int]:
        """The file by what is known of its writer, and the rows.

        Raises:
            InvalidData: a record or a value cannot be read.
        """
        tables = self._csv_tables() if self._csv else self._json_tables()
        first = next(tables, None)
        if first is None:
            return self._source.path, 0
        schema = self._schema_of(first.schema.names)
        return self._kept(schema, self._typed(schema, chain((first,), tables)))

    def _schema_of(self, names: Sequence[str]) -> pa.Schema:
        """The fields of these columns; one that the table has no more is text."""
        import pyarrow as pa

        known = {field.name: field.with_type(held_type(field.type)) for field in self._schema}
        return pa.schema([known.get(name, pa.field(name, pa.string())) for name in names])

    def _read(self, expected: pa.Schema) -> TextRead:
        stream = Stream(self._source.label, expected=expected, type_changes="fail")
        return TextRead([self._source], "csv" if self._csv else "jsonl", self._options, stream)

    def _kept(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> tuple[Path, int]:
        import pyarrow.parquet as pq

        target, rows, schema = self._workspace.new(".parquet"), 0, parquet_schema(schema)
        with pq.ParquetWriter(target, schema, compression="lz4") as out:
            for batch in batches:
                out.write_batch(cast_batch(batch, schema))
                rows += batch.num_rows
        return target, rows

    def _csv_tables(self) -> Iterator[pa.Table]:
        """The fields as text, and those of nested columns as lists and structs of text."""
        import pyarrow as pa

        read = self._read(pa.schema([pa.field(field.name, pa.string()) for field in self._schema]))
        try:
            start = 1
            for batch in read.rows(Window()):
                columns = {}
                for field, texts in zip(self._schema_of(batch.schema.names), batch.columns, strict=True):
                    columns[field.name] = self._column(field, texts, start)
                start += batch.num_rows
                yield pa.table(columns)
        finally:
            read.close()

    def _column(self, field: pa.Field[Any], texts: pa.Array[Any], start: int) -> pa.Array[Any]:
        import pyarrow as pa
        import pyarrow.types as t

        if not t.is_nested(field.type):
            return texts
        values = []
        for number, text in enumerate(texts.to_pylist(), start):
            try:
                values.append(None if text is None else raw_value(parsed(text), field.type))
            except ValueError as error:
                place = f"record {number}, column {field.name!r}"
                raise self._unreadable(place, error) from error
        return pa.array(values, raw_type(field.type))

    def _json_tables(self) -> Iterator[pa.Table]:
        """The values as text, lists and structs of text."""
        import pyarrow as pa

        fields: list[pa.Field[Any]] = []
        with self._workspace.plain(self._source, self._options).open("rb") as file:
            lines = enumerate(file, 1)
            while some := list(islice(lines, _ROWS)):
                records = [self._record(number, line, fields) for number, line in some]
                yield pa.table({f.name: pa.array([r[f.name] for r in records], raw_type(f.type)) for f in fields})

    def _record(self, number: int, line: bytes, fields: list[pa.Field[Any]]) -> dict[str, Any]:
        place = f"line {number}"
        try:
            record = parsed(line.decode())
            names = [name for name, _ in record] if isinstance(record, Pairs) else []
            fields[:] = fields or self._schema_of(names)
            if names == [field.name for field in fields]:
                return {f.name: raw_cell(value, f) for f, (_, value) in zip(fields, record, strict=True)}
        except ValueError as error:
            raise self._unreadable(place, error) from error
        raise self._unreadable(place, "it is no object with the keys of the first line")

    def _typed(self, schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
        import duckdb

        with duck.session(len(schema)) as connection:
            columns = ", ".join(_casts(connection, schema))
            start = 1
            for table in tables:
                connection.register("written", table)
                try:
                    found = connection.execute(f"select {columns} from written").to_arrow_table()
                except duckdb.Error as error:
                    place = f"records {start} to {start + table.num_rows - 1}"
                    raise self._unreadable(place, str(error).partition("\n")[0]) from error
                start += table.num_rows
                yield from cast_table(found, schema).combine_chunks().to_batches()

    def _unreadable(self, place: str, why: object) -> InvalidData:
        return InvalidData(f"{self._source.path}, {place}, cannot be read: {why}. {_WAY_OUT}")


def _casts(connection: duckdb.DuckDBPyConnection, schema: pa.Schema) -> Iterator[str]:
    """SQL of each column, made of the text that the writer wrote of it."""
    import pyarrow.types as t

    connection.register("expected", schema.empty_table())
    described = connection.execute("describe select * from expected").fetchall()
    connection.unregister("expected")
    for field, (_, sql_type, *_) in zip(schema, described, strict=True):
        name = quote(field.name)
        if t.is_binary(field.type) or t.is_large_binary(field.type):
            yield f"from_base64({name}) as {name}"
        else:  # what DuckDB hands out as a decimal of 38 digits may be an integer of 39
            yield f"{name}::{sql_type.replace('DECIMAL(38,0)', 'HUGEINT')} as {name}"

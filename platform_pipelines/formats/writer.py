"""Writes record batches as files of a load, aside and durable, a new file at each full buffer.

Putting them in place is left to ``folder``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck, durable
from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats import json_line
from platform_pipelines.formats.folder_manifest import FolderManifest, LiveFile, file_stem, rewritten_name
from platform_pipelines.formats.table_form import PACKED
from platform_pipelines.formats.unquoted import check_header, check_unquoted
from platform_pipelines.sql.arrow_types import in_schema
from platform_pipelines.sql.duckdb_errors import refused
from platform_pipelines.timeunits import cast_table, parquet_schema, text_schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from platform_pipelines.formats.options import TextOptions
    from platform_pipelines.formats.table_form import TableForm
    from platform_pipelines.model import Load

#: what the name of a file begins with until it is put in place
TMP = ".tmp-"


class Writer:
    """Writes one load's files.

    Args:
        folder: the table's folder.
        load: whose rows these are, and how much to hold.
        manifest: what is live; a name that is taken gets a version.
        form: how all of the table's files are written.
        options: what else is said of text files.
    """

    def __init__(
        self, folder: Path, load: Load, manifest: FolderManifest, form: TableForm, options: TextOptions
    ) -> None:
        self.files: list[LiveFile] = []
        self.rows = 0
        self.format = form.ending.partition(".")[0]
        self.folder = folder
        self._load = load
        self._version = manifest.version + 1
        self._taken = {file.name for file in manifest.files}
        self.options = options
        self.form = form
        self._noted = manifest.form
        self._held: list[pa.RecordBatch] = []
        self._bytes = 0
        self._since = time.monotonic()

    def is_current(self, file: LiveFile) -> bool:
        """Whether a live file has the form that this writer writes."""
        return self.form.is_of(file.name, self._noted)

    def rewrite(self, table: pa.Table, file: LiveFile) -> None:
        """Write what is left of a live file in place of it; these are no rows of the load."""
        self.add(table, rewritten_name(file.name, self._version, self.form.ending), file.feed)
        self.rows -= table.num_rows

    def write(self, batch: pa.RecordBatch) -> None:
        """Hold a batch; write a file once the buffer is full or old."""
        self._held.append(batch)
        self._bytes += batch.nbytes
        overdue = time.monotonic() - self._since > self._load.flush_seconds
        if self._bytes >= self._load.buffer_bytes or overdue:
            self.finish()

    def finish(self) -> None:
        """Write what is held."""
        import pyarrow as pa

        rows = sum(batch.num_rows for batch in self._held)
        if rows:
            self.add(pa.Table.from_batches(self._held), self.next_name(), self._load.feed.id)
        self._held, self._bytes, self._since = [], 0, time.monotonic()

    def add(self, table: pa.Table, name: str, feed: str) -> None:
        """Write a table as one file of a feed."""
        path = self.folder / f"{TMP}{name}"
        if self.format == "parquet":
            import pyarrow.parquet as pq

            with durable.effect("write", path):
                pq.write_table(cast_table(table, parquet_schema(table.schema)), path, compression="zstd")
        else:
            write_text(self._laid_out(table), path, self.format, self.options)
        self.adopt(path, name, feed, table.num_rows)

    def adopt(self, path: Path, name: str, feed: str, rows: int) -> None:
        """Count a file that was written aside, and make it durable."""
        durable.sync(path)
        self.files.append(LiveFile(name, feed, rows, path.stat().st_size))
        self.rows += rows

    def next_name(self) -> str:
        """The name of the load's next file: the same in a repeat of the load."""
        name = f"{file_stem(self._load)}-{len(self.files):04d}.{self.form.ending}"
        return rewritten_name(name, self._version, self.form.ending) if name in self._taken else name

    def _laid_out(self, table: pa.Table) -> pa.Table:
        """The rows in the columns that every file has, where only their order tells them apart.

        Raises:
            InvalidData: the connection's ``names`` lack one of them.
        """
        import pyarrow as pa

        columns = self.form.columns
        if not columns or table.column_names == list(columns):
            return table
        if unnamed := [name for name in table.column_names if name not in columns]:
            msg = (
                f"Files without header cannot hold column {unnamed[0]!r}: `names` of the connection are "
                f"{', '.join(columns)}. Add it there, remove `names`, or say `header: true`."
            )
            raise InvalidData(msg)
        for name in columns:
            if name not in table.column_names:
                table = table.append_column(name, pa.nulls(table.num_rows))
        return table.select(list(columns))


def link_files(load: Load, writer: Writer) -> int:
    """Take the load's own Parquet files, without encoding anew. Returns the rows."""
    import pyarrow.parquet as pq

    for source in load.stored.whole:
        rows = pq.read_metadata(source).num_rows
        if rows:
            name = writer.next_name()
            target = writer.folder / f"{TMP}{name}"
            _link(source, target)
            writer.adopt(target, name, load.feed.id, rows)
    return writer.rows


def _link(source: Path, target: Path) -> None:
    durable.unlink(target)
    try:
        durable.link(source, target)
    except OSError:  # another file system, or one without links
        durable.copy(source, target)


def write_text(table: pa.Table, path: Path, file_format: str, options: TextOptions) -> None:
    """Write a table as CSV or JSON Lines: full precision, ISO 8601 in UTC, NULL and the empty string apart.

    Raises:
        InvalidData: a value cannot be written.
    """
    import pyarrow as pa

    lines, wanted = file_format != "csv", text_schema(table.schema)
    if wanted != table.schema:
        table = pa.Table.from_batches(in_schema(table.to_reader(), wanted), wanted)
    columns = ", ".join(_shown(field, lines=lines) for field in table.schema)
    packed = options.compression if options.compression in PACKED else "none"
    query, given = f"select {columns} from written", {field.name for field in table.schema if _is_json(field)}
    if lines and given:
        query = f"select {json_line.line(table.schema.names, given)} from ({query})"
        form = f"{json_line.FORM}, compression {packed}"
    elif lines:
        form = f"format json, compression {packed}"
    else:
        form = (
            f"format csv, header {str(options.header).lower()}, delimiter {literal(options.delimiter)}, "
            f"quote {literal(options.quote)}, escape {literal(options.quote)}, nullstr {literal(options.null)}, "
            f"compression {packed}"
        )
    with duck.session() as connection:
        connection.register("written", table)
        if not lines:
            check_header(table.schema.names, options)
            if not options.quote:
                check_unquoted(connection, query, table.schema.names, options)
            elif names := _quoted(connection, query, table.schema, options):
                form += f", force_quote ({', '.join(map(quote, names))})"
        with durable.effect("write", path), refused(f"Rows cannot be written to {path.name.removeprefix(TMP)}"):
            connection.execute(f"copy ({query}) to {literal(str(path))} ({form})")


def _quoted(
    connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema, options: TextOptions
) -> Sequence[str]:
    """Columns that quotes must tell from NULL: DuckDB minds the one text that it writes for it, readers all of them."""
    nulls = ", ".join(literal(value) for value in options.null_values[1:])
    names = [field.name for field in schema if not _is_text(field.type)] if nulls else []
    blank = len(schema) == 1 and options.null  # a line of an empty text alone would be no record
    texts = [field.name for field in schema if _is_text(field.type)] if nulls or blank else []
    if not names:
        return texts
    parts = ", ".join(f"coalesce(bool_or({quote(name)}::varchar in ({nulls})), false)" for name in names)
    found = connection.execute(f"select {parts} from ({query})").fetchall()[0]
    return [*texts, *(name for name, quoted in zip(names, found, strict=True) if quoted)]


def _is_json(field: pa.Field[Any]) -> bool:
    return (field.metadata or {}).get(b"pipelines_type") == b"json"


def _is_text(data_type: pa.DataType) -> bool:
    import pyarrow.types as t

    return t.is_string(data_type) or t.is_large_string(data_type)


def _shown(field: pa.Field[Any], *, lines: bool) -> str:
    import pyarrow.types as t

    name, kind = quote(field.name), field.type
    if t.is_timestamp(kind):
        zone = "Z" if kind.tz else ""
        fine = kind.unit == "ns" and not kind.tz
        text = f"strftime({name}, '%Y-%m-%dT%H:%M:%S.{'%n' if fine else '%f'}{zone}')"
        return f"regexp_replace({text}, '\\.?0+{zone}$', '{zone}') as {name}"
    if t.is_binary(kind) or t.is_large_binary(kind):
        return f"to_base64({name}) as {name}"
    if _is_json(field) and lines:
        return f"{json_line.raw(field.name)} as {name}"
    if t.is_nested(kind) and not lines:
        return f"to_json({name})::varchar as {name}"
    return name

"""One read of text files: pieces, types, then rows and rejected records by window.

The connection and the temporary files live as long as the read. Which files,
and keeping a read for the next window, are left to the connector.
"""

from __future__ import annotations

import shutil
from itertools import islice
from typing import TYPE_CHECKING, Literal

from platform_pipelines import duck
from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import CursorError, SchemaDrift, StartOver
from platform_pipelines.formats import casts
from platform_pipelines.formats.columns import columns_of, with_metadata
from platform_pipelines.formats.csv_pieces import careful_piece, csv_pieces
from platform_pipelines.formats.json_pieces import json_pieces
from platform_pipelines.formats.misfits import Bounds, first_misfit, misfits, other_type
from platform_pipelines.formats.rejects import Rejects
from platform_pipelines.formats.settle import MalformedError, Settled, guess, settle
from platform_pipelines.formats.typed_spool import can_spool, checked, filled, spool_typed
from platform_pipelines.formats.workspace import Workspace
from platform_pipelines.rowsql import rows_in
from platform_pipelines.sql.dialect import DUCKDB
from platform_pipelines.sql.predicates import families, window_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.formats.casts import Cast
    from platform_pipelines.formats.inputs import InputFile
    from platform_pipelines.formats.options import TextOptions
    from platform_pipelines.formats.settle import Column, Guess
    from platform_pipelines.model import Rejected, Stream, Window

_ROWS = 65_536


class TextRead:
    """A read of CSV, JSON or JSON Lines files.

    Args:
        files: what to read, in order.
        file_format: csv, json or jsonl.
        options: how they are written.
        stream: types landed before and what to do with misfits.

    Raises:
        InvalidData: a file cannot be unpacked or told into records.
        SchemaDrift: values do not fit the types landed before, and ``type_changes`` is ``fail``.
        SpecError: a declared type does not exist.
    """

    def __init__(
        self,
        files: Sequence[InputFile],
        file_format: Literal["csv", "json", "jsonl"],
        options: TextOptions,
        stream: Stream,
    ) -> None:
        self._workspace = Workspace()
        self._rejects = Rejects(self._workspace)
        self._options = options
        self._spooled: str | None = None
        self._unproven: dict[str, Cast] = {}
        self._suspected = 1
        if file_format == "csv":
            self._pieces = csv_pieces(files, options, self._workspace)
        else:
            lines = file_format == "jsonl"
            self._pieces = json_pieces(files, options, self._workspace, self._rejects, lines=lines)
        self._connection = self._connect()
        self._settled = self._settle(stream)
        self.schema = self._schema()

    def close(self) -> None:
        """Remove what was unpacked and spooled."""
        duck.end(self._connection)
        self._workspace.close()

    def rows(self, window: Window) -> Iterator[pa.RecordBatch]:
        """The rows of the window that can be read, file by file; at least one batch if there are columns."""
        if not self._pieces:
            return
        self._check_cursor(window)
        where = window_sql(window, families(self.schema), DUCKDB) or "true"
        relations = [self._spooled] if self._spooled else [self._typed(i) for i in range(len(self._pieces))]
        empty = True
        for relation in relations:
            for batch in self._batches(f"select * from {relation} where {where}"):
                empty = False
                yield self._marked(batch)
        if empty:
            yield _empty(self.schema)

    def _check_cursor(self, window: Window) -> None:
        """One value that is none of the cursor's is a dead letter; where all are of another type, that type changed."""
        settled = self._settled.get(window.field or "")
        if settled is None or settled.origin != "landed" or not settled.misfits:
            return
        other = other_type(self.cursor(), self._pieces, str(window.field), settled.cast)
        if other is not None:
            msg = (
                f"Cursor `{window.field}` is {other} now; what was landed is {settled.cast.type}. "
                "Give the field its old type back, or start over with `--full-refresh`."
            )
            raise CursorError(msg)

    def _batches(self, query: str) -> Iterator[pa.RecordBatch]:
        import duckdb
        import pyarrow as pa

        try:
            yield from self.cursor().execute(query).to_arrow_reader(_ROWS)
        except (duckdb.InvalidInputException, UnicodeDecodeError, pa.ArrowInvalid, OSError) as error:
            if self._unproven:
                raise StartOver from error
            raise

    def rejected(self, window: Window) -> Iterator[Rejected]:
        """The records of the window that cannot be read.

        Where cursor and partition field can be read, the record belongs where
        these say; where they cannot, every read of its file reports it.
        """
        yield from self._rejects.read()
        bounds = Bounds.of(window, families(self.schema))
        for number, piece in enumerate(self._pieces):
            if any(number in settled.misfits for settled in self._settled.values()):
                yield from misfits(self.cursor(), piece, number, self._settled, bounds)

    def spool(self) -> None:
        """Keep the typed rows as Parquet, so that further windows need not parse again."""
        if self._spooled or not self._pieces:
            return
        folder = self._workspace.new("")
        folder.mkdir()
        for number in range(len(self._pieces)):
            target = literal(str(folder / f"{number:06d}.parquet"))
            self._connection.execute(
                f"copy (select * from {self._typed(number)}) to {target} (format parquet, compression lz4_raw)"
            )
        self._spooled = rows_in(sorted(folder.iterdir()))

    def relation(self) -> str:
        """SQL of all typed rows as one relation, to be read by :meth:`cursor`; empty without columns."""
        self.spool()
        return self._spooled or ""

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the read's DuckDB; it does not inherit the time zone."""
        return duck.sibling(self._connection)

    def _settle(self, stream: Stream) -> dict[str, Settled]:
        while True:
            columns = columns_of(
                self._connection, self._pieces, self._options, stream.expected, widen=stream.type_changes == "widen"
            )
            try:
                guesses = guess(self._connection, self._pieces, columns)
                if stream.restartable and (found := self._while_reading(columns, guesses)) is not None:
                    return found
                if (found := self._in_one_pass(columns, guesses.casts)) is not None:
                    return found
                found = settle(self._connection, self._pieces, columns, guesses.casts)
            except MalformedError as error:
                self._go_careful(self._suspects(error.piece))
                continue
            wrong = [(n, i) for n, s in found.items() for i in s.misfits]
            self._check_drift(found, stream)
            fast = sorted({i for _, i in wrong if not self._pieces[i].careful})
            if fast:
                self._go_careful(fast)
            return found

    def _suspects(self, malformed: int) -> list[int]:
        """A malformed piece and those after it, twice as many each time: all begins anew for each time."""
        self._suspected *= 2
        after = range(malformed, len(self._pieces))
        return list(islice((n for n in after if not self._pieces[n].careful), self._suspected // 2))

    def _while_reading(self, columns: Sequence[Column], guesses: Guess) -> dict[str, Settled] | None:
        """Leave the proof of the guess to the pass that hands the rows out; None if it must come first."""
        kept = can_spool([guesses.casts[column.name].type for column in columns])
        if not self._pieces or not kept or guesses.blank or any(piece.careful for piece in self._pieces):
            return None
        self._unproven = guesses.casts
        return {column.name: Settled(guesses.casts[column.name], column.origin, {}) for column in columns}

    def _in_one_pass(self, columns: Sequence[Column], guesses: Mapping[str, Cast]) -> dict[str, Settled] | None:
        """Spool all rows in the guessed types, if they fit; None if one does not."""
        if not self._pieces or not can_spool([guesses[column.name].type for column in columns]):
            return None
        folder = self._workspace.new("")
        folder.mkdir()
        files = spool_typed(self._connection, self._pieces, guesses, folder)
        if files is None:
            shutil.rmtree(folder)
            self._go_careful([])
            return None
        relation = rows_in(files)
        inferred = [column.name for column in columns if column.origin == "inferred"]
        empty = set(inferred) - filled(self._connection, relation, inferred)
        found = {c.name: Settled(c.casts[-1] if c.name in empty else guesses[c.name], c.origin, {}) for c in columns}
        nulls = ", ".join(f"{found[name].cast.null()} as {quote(name)}" for name in found if name in empty)
        self._spooled = f"(select * replace ({nulls}) from {relation})" if nulls else relation
        return found

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return duck.connect_for(max((len(piece.columns) for piece in self._pieces), default=0))

    def _go_careful(self, numbers: Sequence[int]) -> None:
        """Read pieces record by record, on a new connection: DuckDB may have given up the old one."""
        duck.end(self._connection)
        self._connection = self._connect()
        for number in numbers:
            self._pieces[number] = careful_piece(self._pieces[number], self._options, self._workspace, self._rejects)

    def _check_drift(self, found: dict[str, Settled], stream: Stream) -> None:
        drifted = [n for n, s in found.items() if s.misfits and s.origin == "landed"]
        if stream.type_changes != "fail" or not drifted:
            return
        name = drifted[0]
        piece = self._pieces[next(iter(found[name].misfits))]
        value = first_misfit(self._connection, piece, name, found[name].cast)
        labels = ", ".join(file.label for file in piece.files[:3])
        msg = (
            f"Column {name!r} was landed as {found[name].cast.type}, but {labels} holds {value!r}. The schema contract "
            "says `type_changes: fail`. Mend the file, declare the column's type in `options.types`, "
            "or allow `widen` or `reject`."
        )
        raise SchemaDrift(msg)

    def _schema(self) -> pa.Schema:
        import pyarrow as pa

        if not self._pieces:
            return pa.schema([])
        nulls = ", ".join(f"{settled.cast.null()} as {quote(name)}" for name, settled in self._settled.items())
        query = f"from {self._spooled} limit 0" if self._spooled else f"select {nulls} limit 0"
        reader = self._connection.execute(query).to_arrow_reader(1)
        json_columns = frozenset(n for n, s in self._settled.items() if s.cast.type == casts.JSON)
        return with_metadata(reader.schema, json_columns)

    def _marked(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        return pa.RecordBatch.from_arrays(batch.columns, schema=self.schema)

    def _typed(self, number: int) -> str:
        """SQL of a piece's rows in the columns and types of all pieces, without those that do not fit."""
        piece = self._pieces[number]
        if self._unproven:
            return f"(select {checked(piece, self._unproven)} from {piece.relation})"
        columns, fits = [], []
        for name, settled in self._settled.items():
            cast = settled.cast
            if name not in piece.columns:
                columns.append(f"{cast.null()} as {quote(name)}")
                continue
            text = piece.json(name) if cast.json else piece.text(name)
            columns.append(f"{cast.typed(text)} as {quote(name)}")
            if number in settled.misfits:
                fits.append(cast.fits(text))
        where = f" where {' and '.join(fits)}" if fits else ""
        return f"(select {', '.join(columns)} from {piece.relation}{where})"


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)

"""Merge, update and delete in a table folder: only files that hold a key of the load are rewritten.

DuckDB finds which rows meet; Arrow moves them, so that values stay as they are.
Rules of who wins are those of ``versions``; committing is left to ``folder``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.duck import literal, quote
from platform_pipelines.formats.own_text import typed_copy
from platform_pipelines.formats.versions import kept_columns, removes, same_key, wins
from platform_pipelines.formats.workspace import Workspace
from platform_pipelines.model import Receipt
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.rows import all_but
from platform_pipelines.rowsql import FILE, ROW, is_plain, placed
from platform_pipelines.sql.keys import need_key, repeated
from platform_pipelines.timeunits import cast_batch, parquet_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from platform_pipelines.formats.folder_manifest import FolderManifest, LiveFile
    from platform_pipelines.formats.writer import Writer
    from platform_pipelines.model import Load


@dataclass(frozen=True, slots=True)
class _Merge:
    """One merge at work: where things are."""

    connection: duckdb.DuckDBPyConnection
    load: Load
    live: list[tuple[Path, LiveFile]]
    stage: list[Path]
    columns: tuple[str, ...]
    lost: Sequence[str] = ()

    @property
    def staged_rows(self) -> str:
        """The staged rows with their places."""
        return placed(RowFiles(tuple(self.stage), plain=is_plain(self.load.schema.names)))

    @property
    def live_rows(self) -> str:
        """The live rows with their places."""
        return placed(RowFiles(tuple(path for path, _ in self.live), plain=is_plain(self.columns)))


def merge(
    manifest: FolderManifest, load: Load, batches: pa.RecordBatchReader, writer: Writer, lost: Sequence[str] = ()
) -> tuple[list[LiveFile], Receipt]:
    """Write the files that a merge, update or delete makes.

    Returns:
        The live files that stay as they are, and what was counted.

    Raises:
        InvalidData: the rows that are there lack the key, several of them share it, or they cannot be read.
    """
    workspace = Workspace()
    connection = duck.connect()
    try:
        live = [(_as_parquet(f, manifest, writer, workspace), f) for f in manifest.files]
        stage = list(_stage(load, batches, workspace))
        columns = tuple(_columns(live))
        if live:
            need_key(columns, load)
        work = _Merge(connection, load, live, stage, columns, lost)
        _match(work)
        receipt = _count(work)
        kept = _rewrite(work, writer)
        if load.mode != "delete":
            _write_winners(work, writer)
        return kept, receipt
    finally:
        duck.end(connection)
        workspace.close()


def _as_parquet(file: LiveFile, manifest: FolderManifest, writer: Writer, workspace: Workspace) -> Path:
    """The file itself, or for text a typed copy of it."""
    if file.name.endswith(".parquet"):
        return writer.folder / file.name
    return typed_copy(file, writer.folder, manifest, writer.options, workspace)


def _stage(load: Load, batches: pa.RecordBatchReader, workspace: Workspace) -> Iterator[Path]:
    """The load's rows as Parquet files: its own, or the batches spooled."""
    if load.stored.whole:
        yield from load.stored.whole
        return
    import pyarrow.parquet as pq

    target, schema = workspace.new(".parquet"), parquet_schema(load.schema)
    with pq.ParquetWriter(target, schema, compression="lz4") as out:
        for batch in batches:
            out.write_batch(cast_batch(batch, schema))
    yield target


def _columns(live: list[tuple[Path, LiveFile]]) -> list[str]:
    import pyarrow.parquet as pq

    return list(dict.fromkeys(name for path, _ in live for name in pq.read_schema(path).names))


def _match(work: _Merge) -> None:
    """Table ``found``: every staged row (file, number) with the live row of its key, if any."""
    load = work.load
    staged = f"s.{FILE} as sf, s.{ROW} as sn"
    gone = f"coalesce({removes(load)}, false) as removes"
    if not work.live or not set(load.key) <= set(work.columns):
        work.connection.execute(
            f"create temp table found as select {staged}, null::bigint as f, null::bigint as n, false as wins, {gone} "
            f"from {work.staged_rows} s"
        )
        return
    feeds = ", ".join(f"({number}, {literal(file.feed)})" for number, (_, file) in enumerate(work.live))
    condition = wins(load, "o.feed", comparable=load.cursor in work.columns)
    work.connection.execute(
        f"create temp table found as select {staged}, t.{FILE} as f, t.{ROW} as n, "
        f"coalesce({condition}, false) as wins, {gone} from {work.staged_rows} s left join "
        f"({work.live_rows} t join (values {feeds}) o(file, feed) on o.file = t.{FILE}) on {same_key(load)}"
    )
    if load.mode == "merge":
        _need_one_each(work)


def _need_one_each(work: _Merge) -> None:
    """See that a staged row replaces one row at most, beside those that a new epoch replaces anyhow.

    Raises:
        InvalidData: the table holds a key twice.
    """
    own = [number for number, (_, file) in enumerate(work.live) if work.load.fresh and file.feed == work.load.feed.id]
    query = "select 1 from found where wins and not list_contains(?, f) group by sf, sn having count(*) > 1 limit 1"
    if work.connection.execute(query, [own]).fetchone():
        raise repeated(work.load.table, work.load)


def _count(work: _Merge) -> Receipt:
    row = work.connection.execute(
        "select count(distinct (sf, sn)), count(distinct (sf, sn)) filter (where f is null and not removes), "
        "count(distinct (sf, sn)) filter (where f is not null and wins) from found"
    ).fetchone()
    staged, inserted, changed = row or (0, 0, 0)
    loaded = changed + (inserted if work.load.mode == "merge" else 0)
    return Receipt(staged=staged, loaded=loaded, superseded=staged - loaded)


def _rewrite(work: _Merge, writer: Writer) -> list[LiveFile]:
    """Write the live files that lose rows without them. Returns those that stay."""
    import pyarrow.parquet as pq

    kept = []
    fresh = work.load.fresh and work.load.mode == "merge"
    for number, (path, file) in enumerate(work.live):
        if fresh and file.feed == work.load.feed.id:
            continue
        gone = work.connection.execute("select n from found where wins and f = ?", [number]).to_arrow_table()
        if not gone.num_rows and writer.is_current(file) and not set(work.lost) & set(pq.read_schema(path).names):
            kept.append(file)
            continue
        left = _less(_without(pq.ParquetFile(path).read(), gone.column("n")), work.lost)
        if left.num_rows:
            writer.rewrite(left, file)
    return kept


def rewritten(
    files: Sequence[LiveFile], manifest: FolderManifest, lost: Sequence[str], writer: Writer
) -> list[LiveFile]:
    """Write files anew without columns that are lost, or in another form. Returns those that need not be."""
    import pyarrow.parquet as pq

    kept = []
    for file in files:
        workspace = Workspace()
        try:
            path = writer.folder / file.name
            if lost or not writer.is_current(file):
                path = _as_parquet(file, manifest, writer, workspace)
            if writer.is_current(file) and not (lost and set(lost) & set(pq.read_schema(path).names)):
                kept.append(file)
            else:
                writer.rewrite(_less(pq.ParquetFile(path).read(), lost), file)
        finally:
            workspace.close()
    return kept


def _less(table: pa.Table, names: Sequence[str]) -> pa.Table:
    return table.drop_columns([name for name in names if name in table.column_names])


def _without(table: pa.Table, numbers: pa.ChunkedArray[Any]) -> pa.Table:
    return table.filter(all_but(table.num_rows, numbers))


def _write_winners(work: _Merge, writer: Writer) -> None:
    """Write the staged rows that are inserted or replace others."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    chosen, replaced, once = "wins or f is null", "any_value(f) as f, any_value(n) as n", " group by sn"
    if work.load.mode == "update":  # every row of the key
        chosen, replaced, once = "f is not null and wins", "f, n", ""
    missing = [name for name in work.columns if name not in work.load.schema.names]
    for number, path in enumerate(work.stage):
        work.connection.execute(
            f"create or replace temp table won as select sn, {replaced} from found "
            f"where sf = ? and ({chosen}) and not removes{once}",
            [number],
        )
        start = 0
        for batch in pq.ParquetFile(path).iter_batches(columns=kept_columns(work.load)):
            rows = work.connection.execute(
                "select sn - ? as i, f, n from won where sn >= ? and sn < ? order by sn, f, n",
                [start, start, start + batch.num_rows],
            ).to_arrow_table()
            start += batch.num_rows
            table = pa.Table.from_batches([batch]).take(rows.column("i"))
            if missing and work.live:
                table = _with_old(work, table, rows, missing)
            for part in table.to_batches():
                writer.write(part)
    writer.finish()


def _with_old(work: _Merge, table: pa.Table, rows: pa.Table, missing: list[str]) -> pa.Table:
    """The rows with the columns that the load lacks, from the rows they replace."""
    work.connection.register("replaced", rows)
    columns = ", ".join(f"t.{quote(name)}" for name in missing)
    old = work.connection.execute(
        f"select {columns} from replaced r left join {work.live_rows} t "
        f"on t.{FILE} = r.f and t.{ROW} = r.n order by r.i, r.f, r.n"
    ).to_arrow_table()
    work.connection.unregister("replaced")
    known = _metadata(work)
    for name in missing:
        table = table.append_column(old.schema.field(name).with_metadata(known.get(name, {})), old.column(name))
    return table


def _metadata(work: _Merge) -> dict[str, Any]:
    """What is noted of the live columns beside their types, such as that a text is JSON."""
    import pyarrow.parquet as pq

    schemas = (pq.read_schema(path) for path, _ in work.live)
    return {field.name: field.metadata for schema in schemas for field in schema if field.metadata}

"""CSV files as pieces: DuckDB's own parallel reader where it can, record by record where it refuses.

Types are left to ``settle``.
"""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING

from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.csv_records import Record, read_records
from platform_pipelines.formats.pieces import Piece
from platform_pipelines.formats.spool import FILE, LINE, Spool
from platform_pipelines.rowsql import rows_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from platform_pipelines.formats.inputs import InputFile
    from platform_pipelines.formats.options import TextOptions
    from platform_pipelines.formats.rejects import Rejects
    from platform_pipelines.formats.workspace import Workspace

#: what a thread parses at a time: DuckDB's own 32 MB miss the processor's cache, which costs a third more time, and the
#: rows of 4 MB fill the room for results that come out of turn, so that other threads wait
_BUFFER_BYTES = 3_000_000
#: files of one piece: DuckDB copies them in a time that grows with the square of their number
_FILES = 500
#: a text of no meaning, by its standard, that no file has (noncharacters of Unicode)
_NEVER = "\ufdd0\ufdd1"


def csv_pieces(files: Sequence[InputFile], options: TextOptions, workspace: Workspace) -> list[Piece]:
    """Fast pieces of CSV files, in order; neighbours with one header are read together.

    Raises:
        InvalidData: a file cannot be unpacked, or its header names a column twice.
    """
    opened = [
        (file, path, _columns(file, path, options)) for file in files for path in [workspace.plain(file, options)]
    ]
    pieces = []
    for columns, group in groupby(opened, key=lambda o: o[2]):
        while columns and (members := list(islice(group, _FILES))):
            relation = _relation([path for _, path, _ in members], columns, options)
            pieces.append(Piece(relation, columns, tuple(file for file, _, _ in members)))
    return pieces


def careful_piece(piece: Piece, options: TextOptions, workspace: Workspace, rejects: Rejects) -> Piece:
    """The same files read record by record; malformed ones go to ``rejects``."""
    spool = Spool(workspace)
    for file in piece.files:
        records = iter(read_records(workspace.plain(file, options), options, file.label))
        if options.header:
            next(records, None)
        _spool(file.label, records, piece.columns, spool, rejects)
    spool.close()
    missing = [c for c in piece.columns if c not in spool.columns]
    added = "".join(f", null::varchar as {quote(c)}" for c in missing)
    relation = f"(select *{added} from {rows_in(spool.files, by_name=True)})"
    return Piece(relation, piece.columns, piece.files, careful=True)


def _spool(label: str, records: Iterable[Record], columns: tuple[str, ...], spool: Spool, rejects: Rejects) -> None:
    width = len(columns)
    for record in records:
        fields = record.fields
        if len(fields) == width + 1 and fields[-1] in {None, ""}:
            fields = fields[:-1]
        if width > 1 and record.problem is None and not record.text.strip("\r\n"):
            continue
        if record.problem is None and len(fields) == width:
            spool.add(label, record.line, columns, fields, len(record.text))
        else:
            rejects.add(label, record.line, *_malformed(record, columns, fields))


def _malformed(
    record: Record, columns: tuple[str, ...], fields: tuple[str | None, ...]
) -> tuple[dict[str, object], str]:
    if record.problem is not None:
        return {"_pipelines_raw": record.text}, record.problem
    known: dict[str, object] = dict(zip(columns, fields, strict=False))
    if len(fields) > len(columns):
        known["_pipelines_extra"] = list(fields[len(columns) :])
    return known, f"{len(fields)} fields where the header has {len(columns)}"


def _columns(file: InputFile, path: Path, options: TextOptions) -> tuple[str, ...]:
    first = next(iter(read_records(path, options, file.label)), None)
    if first is None:
        return ()
    if first.problem is not None:
        msg = f"{file.label} line 1 cannot be read: {first.problem}. Mend the file, or its options `quote`, `encoding`."
        raise InvalidData(msg)
    if options.header:
        names = tuple(name or f"column{i}" for i, name in enumerate(first.fields))
    else:
        names = options.names or tuple(f"column{i}" for i in range(len(first.fields)))
    return _distinct(file, names)


def _distinct(file: InputFile, names: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[str] = set()
    for name in names:
        if "\0" in name:
            msg = f"{file.label}: the header holds a NUL byte, in {name!r}: this is no text. Write the file anew."
            raise InvalidData(msg)
        if name.lower() in seen or name in {LINE, FILE}:
            msg = (
                f"{file.label}: the header names the column {name!r} twice, or as a bookkeeping column; case does not "
                "count. Rename it in the file, or skip the header with `header: false` and give `names`."
            )
            raise InvalidData(msg)
        seen.add(name.lower())
    return names


def _relation(paths: Sequence[Path], columns: tuple[str, ...], options: TextOptions) -> str:
    names = ", ".join(literal(str(path)) for path in paths)
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    nulls = ", ".join(literal(value) for value in options.null_values) or literal(_NEVER)
    return (
        f"read_csv([{names}], auto_detect=false, hive_partitioning=false, header={str(options.header).lower()}, "
        f"delim={literal(options.delimiter)}, quote={literal(options.quote)}, escape={literal(options.quote)}, "
        f"nullstr=[{nulls}], allow_quoted_nulls={str(options.quoted_nulls).lower()}, strict_mode=true, "
        f"buffer_size={_BUFFER_BYTES}, compression='none', columns={{{types}}})"
    )

"""JSON files as one piece of tagged text, and the structures of its nested columns.

Parsing is left to ``json_records``, types to ``settle``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.json_records import JsonRecord, read_document, read_lines, tagged
from platform_pipelines.formats.nested import is_deep, simplified
from platform_pipelines.formats.pieces import Piece
from platform_pipelines.formats.spool import FILE, LINE, Spool
from platform_pipelines.rowsql import rows_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from platform_pipelines.formats.inputs import InputFile
    from platform_pipelines.formats.options import TextOptions
    from platform_pipelines.formats.rejects import Rejects
    from platform_pipelines.formats.workspace import Workspace


def json_pieces(
    files: Sequence[InputFile], options: TextOptions, workspace: Workspace, rejects: Rejects, *, lines: bool
) -> list[Piece]:
    """One piece of all files; malformed records go to ``rejects``.

    Raises:
        InvalidData: a file cannot be unpacked, or two keys differ in case only.
    """
    spool, kinds = Spool(workspace), defaultdict[str, set[str]](set)
    for file in files:
        path = workspace.plain(file, options)
        for record in read_lines(path) if lines else read_document(path, file.label):
            _add(file.label, record, spool, kinds, rejects)
    spool.close()
    columns = tuple(spool.columns)
    _distinct(columns)
    if not columns:
        _reject_empty(spool, rejects)
        return []
    relation = rows_in(spool.files, by_name=True)
    found = {name: frozenset(kinds[name]) for name in columns}
    return [Piece(relation, columns, tuple(files), careful=True, kinds=found)]


def structures(connection: duckdb.DuckDBPyConnection, piece: Piece) -> dict[str, Any]:
    """The structure of each column that holds only objects or only arrays; None where shapes conflict."""
    wanted = [name for name, kinds in piece.kinds.items() if kinds == {"j"}]
    if not wanted:
        return {}
    parts = ", ".join(f"json_group_structure(substr({quote(name)}, 2)::json)" for name in wanted)
    row = connection.execute(f"select {parts} from {piece.relation}").fetchone() or ()
    found = {name: json.loads(text) for name, text in zip(wanted, row, strict=True)}
    return {name: None if is_deep(structure) else simplified(structure) for name, structure in found.items()}


def _add(label: str, record: JsonRecord, spool: Spool, kinds: dict[str, set[str]], rejects: Rejects) -> None:
    if record.problem is not None:
        rejects.add(label, record.line, {"_pipelines_raw": record.text}, record.problem)
        return
    values = {key: tagged(value) for key, value in record.value.items()}
    for key, text in values.items():
        if text is not None:
            kinds[key].add(text[0])
    spool.add(label, record.line, tuple(values), tuple(values.values()), len(record.text))


def _reject_empty(spool: Spool, rejects: Rejects) -> None:
    """Records without fields, where no record has any: there is no column that their rows could be of."""
    import pyarrow.parquet as pq

    for path in spool.files:
        for batch in pq.ParquetFile(path).iter_batches(columns=[FILE, LINE]):
            for file, line in zip(*(batch.column(name).to_pylist() for name in (FILE, LINE)), strict=True):
                rejects.add(file, line, {}, "the record has no field, nor has any other")


def _distinct(columns: tuple[str, ...]) -> None:
    seen: dict[str, str] = {}
    for name in columns:
        if name.lower() in seen or name in {LINE, FILE}:
            msg = (
                f"The keys {seen.get(name.lower(), name)!r} and {name!r} differ in case only, or are bookkeeping "
                "columns; a table can have only one of them. Rename one where the file is written."
            )
            raise InvalidData(msg)
        seen[name.lower()] = name

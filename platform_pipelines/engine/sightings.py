"""Where a row's key is seen in the files of one batch: landed, passed, rejected.

What that means for destinations is left to ``fate``, the order of looking to
``explaining``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.cursor import Cursor
from platform_pipelines.engine.replaying import is_unread
from platform_pipelines.errors import CursorError
from platform_pipelines.relations import columns
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.rows import to_rows
from platform_pipelines.rowsql import FILE, ROW, is_plain, placed
from platform_pipelines.store.passed import passed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import duckdb

    from platform_pipelines.engine.rowkey import RowKey
    from platform_pipelines.store import DataFile, FeedLog, Manifest, Verdict

#: rows of one key looked at in one file
MOST = 20


@dataclass(frozen=True, slots=True)
class Sighting:
    """One row of the key in one file.

    Attributes:
        file: the file, relative to the feed's folder.
        row: its row in the file, counted from 0.
        cursor: the row's cursor; None where it has none.
        deleted: whether the row says that it is deleted.
        rule: the rule that rejected it; None if none did.
        reason: why.
    """

    file: str
    row: int
    cursor: Cursor | None = None
    deleted: bool = False
    rule: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for in the files of one feed.

    Attributes:
        connection: an embedded DuckDB.
        log: the feed's log.
        key: the row's key.
        source: what the key's columns are called before the transforms.
        cursor: names under which the cursor may stand.
        deleted: the column that is not NULL in deleted rows.
    """

    connection: duckdb.DuckDBPyConnection
    log: FeedLog
    key: RowKey
    source: Mapping[str, str]
    cursor: tuple[str, ...] = ()
    deleted: str | None = None

    def landed(self, manifest: Manifest) -> list[Sighting] | None:
        """Among the rows as the source gave them; None if a file is gone."""
        # dead letters come back as the rules saw them, behind the transforms, or as the transform that stopped them did
        return self._in_all(manifest.epoch, manifest.files, None if manifest.kind == "replay" else self.source)

    def passed(self, verdict: Verdict) -> list[Sighting] | None:
        """Among the rows to load; None if a file is gone."""
        if not self._have_all(verdict.epoch, (*verdict.files, *verdict.left_out)):
            return None
        return list(self._rows(passed(self.log, verdict), self._same))

    def rejected(self, epoch: int, files: Iterable[DataFile]) -> list[Sighting]:
        """Among the dead letters."""
        found: list[Sighting] = []
        for path in self.log.paths(epoch, files):
            found += self._unread(path) if is_unread(path) else self._in_file(path, self._named_in(path))
        return found

    def relation(self, sighting: Sighting, name: str) -> None:
        """Make the row of a sighting a relation of its own."""
        rows = placed(_one(self.log.folder / sighting.file))
        self.connection.execute(
            f"create or replace temp table {duck.quote(name)} as select * exclude ({FILE}, {ROW}) from {rows} "
            f"where {ROW} = {sighting.row}"
        )

    @property
    def _same(self) -> Mapping[str, str]:
        return {name: name for name in self.key.values}

    def _named_in(self, path: Path) -> Mapping[str, str]:
        """What the key's columns are called in a file of dead letters: a transform may have stopped its rows."""
        import pyarrow.parquet as pq

        return self._same if self._same.keys() <= set(pq.read_schema(path).names) else self.source

    def _in_all(self, epoch: int, files: Iterable[DataFile], names: Mapping[str, str] | None) -> list[Sighting] | None:
        if not self._have_all(epoch, files):
            return None
        paths = self.log.paths(epoch, files)
        return [
            seen for path in paths for seen in self._in_file(path, self._named_in(path) if names is None else names)
        ]

    def _have_all(self, epoch: int, files: Iterable[DataFile]) -> bool:
        return all((self.log.epoch_folder(epoch) / file.path).exists() for file in files)

    def _in_file(self, path: Path, names: Mapping[str, str]) -> Iterator[Sighting]:
        return self._rows(_one(path), names)

    def _rows(self, rows: RowFiles, names: Mapping[str, str]) -> Iterator[Sighting]:
        if not rows.paths:
            return
        self.connection.execute(f"create or replace temp view traced as from {placed(rows)}")
        types = columns(self.connection, "traced")
        condition = self.key.condition(names, types)
        if condition is None:
            return
        cursor = next((name for name in self.cursor if name in types), None)
        wanted = {"file": FILE, "row": ROW}
        wanted |= {"cursor": duck.quote(cursor)} if cursor else {}
        wanted |= {"deleted": f"{duck.quote(self.deleted)} is not null"} if self.deleted in types else {}
        wanted |= {name: f"_pipelines_{name}" for name in ("rule", "reason") if f"_pipelines_{name}" in types}
        picked = ", ".join(f"{sql} as {name}" for name, sql in wanted.items())
        table = self.connection.execute(
            f"select {picked} from traced where {condition} "
            f"qualify row_number() over (partition by {FILE} order by {ROW}) <= {MOST} order by {FILE}, {ROW}"
        ).to_arrow_table()
        cursors = [_cursor(value) for value in table.column("cursor")] if cursor else [None] * table.num_rows
        plain = table.drop_columns(["cursor"]) if cursor else table
        for row, value in zip(to_rows(plain), cursors, strict=True):
            yield Sighting(
                file=str(rows.paths[row["file"]].relative_to(self.log.folder)),
                row=row["row"],
                cursor=value,
                deleted=bool(row.get("deleted")),
                rule=row.get("rule"),
                reason=row.get("reason"),
            )

    def _unread(self, path: Path) -> Iterator[Sighting]:
        import pyarrow.parquet as pq

        row = -1
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                for letter in to_rows(batch):
                    row += 1
                    record = _record(letter["record"])
                    if self.key.fits(record, {}) or self.key.fits(record, self.source):
                        place = str(path.relative_to(self.log.folder))
                        yield Sighting(place, row, rule=letter["rule"], reason=letter["reason"])


def _one(path: Path) -> RowFiles:
    import pyarrow.parquet as pq

    return RowFiles((path,), plain=is_plain(pq.read_schema(path).names))


def _record(text: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _cursor(scalar: Any) -> Cursor | None:  # noqa: ANN401 - an Arrow scalar of any type
    try:
        return Cursor.from_scalar(scalar)
    except CursorError:
        return None

"""One project under attack: a source that is under control, destinations, and what must hold of them."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pyarrow as pa

from platform_pipelines.connectors import duckdb_session
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.engine.project import Project
from platform_pipelines.formats.folder_manifest import MANIFEST, read_manifest
from platform_pipelines.model import Page
from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines.store import FeedLog, Store
from platform_pipelines_tests.torture.orphans import is_record, known_in_log, unused_scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.model import Stream, Window

Row = tuple[int, int, str, str]
#: what a destination holds: rows, each so many times
Contents = Counter[tuple[Any, ...]]
SCHEMA = pa.schema([("id", pa.int64()), ("at", pa.int64()), ("v", pa.string()), ("region", pa.string())])
TABLE = "raw.t"
_DELETED_AT = "_pipelines_deleted_at"
_LEFT_OPEN = (
    "select gid from pg_prepared_xacts where database = current_database()",
    "select oid::regclass::text from pg_class where relpersistence = 't'",
    (
        "select application_name from pg_stat_activity where datname = current_database() "
        "and application_name like 'platform_pipelines%' and backend_type = 'client backend'"
    ),
)


class Paged(MemoryConnector):
    """Two pages; the read can go on behind the first."""

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:
        rows = pa.Table.from_batches([b for page in super().read(stream, window, None) for b in page.batches])
        middle = (rows.num_rows + 1) // 2
        for begin, length in ((0, middle), (middle, rows.num_rows - middle)):
            if begin >= (resume or 0):
                batches = rows.slice(begin, length).combine_chunks().to_batches()
                yield Page(tuple(batches or rows.schema.empty_table().to_batches(max_chunksize=1)), begin + length)


@dataclass
class Site:
    """A project in a folder.

    Attributes:
        root: the folder.
        dsn: of a database of its own.
        targets: duckdb, postgres, folder, csv, jsonl.
        store_path: of the landing log, below the root.
    """

    root: Path
    dsn: str
    targets: tuple[str, ...]
    store_path: str = "store"
    space: str = field(init=False)

    def __post_init__(self) -> None:
        self.space = str(self.root)

    def project(
        self, rows: list[Row], spec: dict[str, Any], widened: Callable[[pa.Table], pa.Table] = lambda rows: rows
    ) -> Project:
        """The project, all opened anew, with these rows at the source, which ``widened`` may add columns to."""
        duckdb_session._writers.clear()
        table = pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], SCHEMA)
        MemoryConnector.put("rows", widened(table), self.space)
        config = spec | {
            "destinations": [
                {"name": name, "connector": name, "table": _table(name), **spec["destinations"]}
                for name in self.targets
            ]
        }
        connectors = self.connectors()
        catalog = _catalog(self.root, json.dumps(config), tuple((name, each.type) for name, each in connectors.items()))
        return Project(catalog, self.store, self.root, connectors)

    def connectors(self) -> dict[str, Connector]:
        return {
            "source": Paged(space=self.space),
            "duckdb": DuckDBConnector(type="duckdb", path=self.root / "out" / "w.duckdb"),
            "folder": FilesConnector(type="files", root=str(self.lake), format="parquet"),
            "csv": FilesConnector(type="files", root=str(self.lake), format="csv"),
            "jsonl": FilesConnector(type="files", root=str(self.lake), format="jsonl"),
            "postgres": PostgresConnector(dsn=self.dsn),
        }

    @property
    def lake(self) -> Path:
        """Where folders of tables are."""
        return self.root / "lake"

    @property
    def store(self) -> Store:
        return Store(self.store_path, self.root)

    def contents(self) -> dict[str, Contents]:
        """What each destination holds."""
        return {name: getattr(self, f"_{name}")() for name in self.targets}

    def _duckdb(self) -> Contents:
        with duckdb.connect(self.root / "out" / "w.duckdb", read_only=True) as connection:
            return _counted(connection.execute(f"select * from {TABLE}"))

    def _postgres(self) -> Contents:
        with psycopg.connect(self.dsn) as connection:
            return _counted(connection.execute(f"select * from {TABLE}".encode()))

    def _folder(self, reader: str = "read_parquet") -> Contents:
        folder = self.lake / "t"
        listed = ", ".join(f"'{folder / file.name}'" for file in read_manifest(folder).files)
        with duckdb.connect() as connection:
            query = f"select * from {reader}([{listed}], union_by_name=true)"
            return _counted(connection.execute(query)) if listed else Counter()

    def _csv(self) -> Contents:
        return self._folder("read_csv")

    def _jsonl(self) -> Contents:
        return self._folder("read_json")

    def clear(self) -> None:
        """Leave nothing of an earlier site in the database."""
        if "postgres" in self.targets:
            with psycopg.connect(self.dsn, autocommit=True) as connection:
                connection.execute("set client_min_messages = error")
                connection.execute("drop schema if exists raw, kept cascade")

    def keep(self) -> None:
        """Remember the present state, to come back to it with :meth:`restore`."""
        shutil.copytree(self.root, self._kept, dirs_exist_ok=True)
        if "postgres" in self.targets:
            with psycopg.connect(self.dsn, autocommit=True) as connection:
                connection.execute("create schema if not exists raw")
                connection.execute("alter schema raw rename to kept")

    def restore(self) -> None:
        """Come back to the state that was kept."""
        shutil.rmtree(self.root)
        shutil.copytree(self._kept, self.root)
        if "postgres" in self.targets:
            with psycopg.connect(self.dsn, autocommit=True) as connection, connection.transaction():
                connection.execute("set local client_min_messages = error")
                connection.execute("drop schema if exists raw cascade")
                tables = connection.execute("select tablename from pg_tables where schemaname = 'kept'").fetchall()
                if tables:
                    connection.execute("create schema raw")
                for (name,) in tables:
                    connection.execute(f"create table raw.{name} (like kept.{name} including all)".encode())
                    connection.execute(f"insert into raw.{name} select * from kept.{name}".encode())

    def close(self) -> None:
        """Remove what the site wrote."""
        shutil.rmtree(self.root.parent, ignore_errors=True)

    @property
    def _kept(self) -> Path:
        return self.root.with_name(f"{self.root.name}-kept")

    # what must hold

    def logs(self, pipeline: str = "p") -> list[FeedLog]:
        return [self.store.feed(feed) for feed in self.store.feeds(pipeline)]

    def totals(self) -> dict[str, int]:
        """What the log says of the rows of its live epochs; the sums of each batch are checked on the way."""
        total: Counter[str] = Counter()
        for log in self.logs():
            epoch = log.live_epoch()
            assert epoch is not None
            for sequence in log.sequences(epoch):
                manifest, verdict = log.manifest(epoch, sequence), log.verdict(epoch, sequence)
                assert verdict is not None, "a batch without verdict"
                assert manifest.read == manifest.deduplicated + manifest.skipped + manifest.rows + manifest.rejected
                assert verdict.rows_in == manifest.rows + manifest.rejected
                assert verdict.rows_in == verdict.rows_out + verdict.filtered + verdict.rejected
                if manifest.kind == "replay":  # what is rejected again may be replayed again
                    total["brought back"] += verdict.rows_out
                    continue
                for name in ("rows_in", "rows_out", "filtered", "rejected"):
                    total[name] += getattr(verdict, name)
        return dict(total)

    def behind(self, project: Project) -> list[str]:
        """Destinations that do not have all of the log."""
        found = []
        for log in self.logs():
            epoch = log.live_epoch()
            last = log.last(epoch) if epoch is not None else None
            for name in self.targets:
                offset = project.connectors[name].offset(log.feed, _table(name))  # type: ignore[attr-defined]
                if last is None or offset != last.offset:
                    found.append(f"{name} of {log.feed.id}: {offset}")
        return found

    def orphans(self) -> list[str]:
        """Files, folders and sessions that nothing refers to."""
        return sorted(str(path) for path in self._orphans()) + self._sessions()

    def _orphans(self) -> Iterator[Path]:
        # behind a kill DuckDB keeps what was committed in its own log, until the file is written to again
        expected = {self.root / "out" / name for name in ("w.duckdb", "w.duckdb.wal")} | set(self._known_in_lake())
        for pipeline in ("p", "seed", "whole"):
            expected.add(self.root / self.store_path / pipeline / "approvals")
            for log in self.logs(pipeline):
                expected |= set(known_in_log(log))
                expected |= set(log.folder.glob("e*.damaged/**/*"))  # kept as they are
        store = self.root / self.store_path
        for top in (store, self.root / "out", self.lake):
            for path in top.rglob("*"):
                known = path in expected or (top == store and is_record(path.relative_to(store).parts))
                if not known and not (path.is_dir() and any(path.iterdir())):
                    yield path
        yield from unused_scratch()

    def _known_in_lake(self) -> Iterator[Path]:
        folder = self.lake / "t"
        yield folder / MANIFEST
        yield folder / "_pipelines_loads.lock"
        for file in read_manifest(folder).files:
            yield folder / file.name

    def _sessions(self) -> list[str]:
        if "postgres" not in self.targets:
            return []
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for _ in range(100):  # the server takes a moment to see that a client was killed
                found = [str(row) for query in _LEFT_OPEN for row in connection.execute(query.encode()).fetchall()]
                if not found:
                    break
                time.sleep(0.05)
            return found


@cache
def _catalog(root: Path, config: str, types: tuple[tuple[str, str], ...]) -> Catalog:
    """What is declared; reading it again for each run would take a fifth of the time of all of them."""
    declared = {name: ConnectorSpec(name, kind, {}, None, None) for name, kind in types}
    spec = pipeline_from_config(json.loads(config), Catalog(root, root, declared), capabilities)
    return Catalog(root, root, declared, {spec.name: spec})


def _table(target: str) -> str:
    return "t" if target in {"folder", "csv", "jsonl"} else TABLE


def _counted(cursor: Any) -> Contents:
    """Rows with the names of their columns, in whatever order these are; of what the clock says, whether it does."""
    names = [column[0] for column in cursor.description]
    order = sorted(range(len(names)), key=names.__getitem__)
    return Counter(
        tuple((names[n], row[n] is not None if names[n] == _DELETED_AT else row[n]) for n in order)
        for row in cursor.fetchall()
    )

"""A PostgreSQL destination whose disk is full or that takes no writes: a clear error, nothing lost, nothing half done."""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from platform_pipelines_tests.hostile.test_disks import LARGE, SMALL, mounted, remount
from platform_pipelines_tests.integration.test_concurrency import Site, source

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 30_000
PIPELINE = """
name: p
source: {connector: app, stream: events, mode: incremental, cursor: {field: id}}
destinations:
  - {connector: pg, table: t, mode: merge, key: [id]}
  - {connector: warehouse, table: raw.t, mode: merge, key: [id]}
"""


@pytest.fixture
def site(tmp_path: Path, postgres_database: str) -> Iterator[Site]:
    site = Site(tmp_path / "site", postgres_database)
    site.declare("p", PIPELINE)
    site.sql(
        "create schema loaded",
        f"create table events as select i as id, md5(i::text) as v from generate_series(1, {ROWS}) i",
    )
    yield site
    site.stop()


@pytest.fixture
def small_disk(site: Site) -> Iterator[Path]:
    """A full disk of the server's: where the database makes its new tables."""
    folder = Path(tempfile.mkdtemp(prefix="disk-"))  # the server's user could not enter the folder of the test
    folder.chmod(0o755)
    space = f"space_{uuid.uuid4().hex}"
    with mounted(folder, SMALL) as small:
        if not small:
            pytest.skip("file systems can be mounted by root alone, and not in every container")
        inner = folder / "tablespace"
        inner.mkdir()
        inner.chmod(0o700)
        shutil.chown(inner, "nobody")  # the server's user, where it may not be root
        site.sql(f"create tablespace {space} location '{inner}'", _of_database(site, f"default_tablespace = {space}"))
        try:
            yield folder
        finally:
            remount(folder, f"size={LARGE}")
            site.sql("drop schema loaded cascade", f"drop tablespace {space}")
    folder.rmdir()


def _of_database(site: Site, setting: str) -> str:
    return f"alter database {conninfo_to_dict(site.dsn)['dbname']} set {setting}"


def run(site: Site) -> dict[str, Any]:
    out, _ = site.start("run", "p", "--json").communicate(timeout=120)
    report: dict[str, Any] = json.loads(out)
    return report


def failed(site: Site) -> tuple[str, int, str, bool]:
    """A run that fails: its status, the rows that the file got, the server's error, and whether the server has the table."""
    report = run(site)
    with psycopg.connect(site.dsn) as server:
        held = server.execute("select to_regclass('loaded.t')").fetchone() != (None,)
    return report["status"], report["rows"]["loaded"]["warehouse"], report["destinations"]["pg"].get("error", ""), held


def mended(site: Site) -> tuple[str, int, str]:
    """The next run's status and the rows that it read, and the status of one more."""
    report = run(site)
    return report["status"], report["rows"]["read"], run(site)["status"]


#: only the row at the watermark is read again, and then nothing is left to do
CAUGHT_UP = ("success", 1, "nothing_new")


def test_a_server_whose_disk_is_full(site: Site, small_disk: Path) -> None:
    status, elsewhere, error, held = failed(site)
    assert (status, elsewhere, held) == ("partial", ROWS, False)
    assert "No space left on device" in error
    assert "not foreseen" not in error
    remount(small_disk, f"size={LARGE}")
    assert mended(site) == CAUGHT_UP
    assert len(source(site)) == ROWS
    assert source(site, "loaded.t") == source(site)


def test_a_server_that_takes_no_writes(site: Site) -> None:
    site.sql(_of_database(site, "default_transaction_read_only = on"))
    status, elsewhere, error, held = failed(site)
    assert (status, elsewhere, held) == ("partial", ROWS, False)
    assert "read-only transaction" in error
    assert "not foreseen" not in error
    site.sql("set transaction_read_only = off; " + _of_database(site, "default_transaction_read_only = off"))
    assert mended(site) == CAUGHT_UP
    assert len(source(site)) == ROWS
    assert source(site, "loaded.t") == source(site)

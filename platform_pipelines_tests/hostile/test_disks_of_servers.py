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


def refused(site: Site, words: str) -> None:
    """A run in which the server alone fails, in plain words, and holds nothing of it."""
    report = run(site)
    assert report["status"] == "partial", report
    assert report["rows"]["loaded"]["warehouse"] == ROWS, report
    assert words in report["destinations"]["pg"]["error"], report
    assert "not foreseen" not in report["destinations"]["pg"]["error"]
    with psycopg.connect(site.dsn) as server:
        assert server.execute("select to_regclass('loaded.t')").fetchone() == (None,)


def mended(site: Site) -> None:
    """The next run loads what was missing, each row once, and reads no row again but the one at the watermark."""
    report = run(site)
    assert (report["status"], report["rows"]["read"]) == ("success", 1), report
    expected = source(site)
    assert len(expected) == ROWS
    assert source(site, "loaded.t") == expected
    assert run(site)["status"] == "nothing_new"


def test_a_server_whose_disk_is_full(site: Site, small_disk: Path) -> None:
    refused(site, "No space left on device")
    remount(small_disk, f"size={LARGE}")
    mended(site)


def test_a_server_that_takes_no_writes(site: Site) -> None:
    site.sql(_of_database(site, "default_transaction_read_only = on"))
    refused(site, "read-only transaction")
    site.sql("set transaction_read_only = off; " + _of_database(site, "default_transaction_read_only = off"))
    mended(site)

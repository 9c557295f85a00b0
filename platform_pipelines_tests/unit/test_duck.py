"""The embedded DuckDB: which files it trusts, and which instance it takes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from platform_pipelines import duck

if TYPE_CHECKING:
    from pathlib import Path

_SIGNATURE = 256  # bytes at the end of an extension's file


def test_instance_with_an_extension_loads_no_unsigned_file_afterwards(tmp_path: Path) -> None:
    forged = tmp_path / "forged.duckdb_extension"
    shutil.copyfile(duck.extension_file("postgres_scanner"), forged)
    with forged.open("r+b") as file:
        file.seek(-_SIGNATURE, 2)
        file.write(bytes(_SIGNATURE))
    with duck.connect(extensions=["postgres_scanner"]) as connection:
        with pytest.raises(duckdb.IOException, match="signature is either missing or invalid"):
            connection.execute(f"load {duck.literal(str(forged))}")
        with pytest.raises(duckdb.InvalidInputException, match="allow_unsigned_extensions"):
            connection.execute("set allow_unsigned_extensions=true")


def test_a_few_rows_are_asked_of_an_instance_that_is_open_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duck, "_shared", duck.Kept(duckdb.connect))
    other = duck.Kept(lambda: duck.connect(threads=1))
    monkeypatch.setattr(duck, "_lent", [other])
    with other.connection() as connection:
        connection.execute("create table here as select timestamptz '2026-01-01 12:00:00+02' as seen")
    with duck.at_hand() as connection:
        assert connection.execute("select seen::text from here").fetchall() == [("2026-01-01 10:00:00+00",)]
    with duck.connect(), duck.at_hand() as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("from here")  # the one that all share is open now


def test_an_instance_that_an_internal_error_closed_is_opened_again() -> None:
    opened = []

    def closed_at_first() -> Any:
        opened.append(_Closed() if not opened else duckdb.connect())
        return opened[-1]

    with duck.Kept(closed_at_first).connection() as connection:
        assert connection.execute("select 1").fetchall() == [(1,)]
    assert len(opened) == 2


class _Closed:
    """DuckDB makes such an error where it finds itself damaged: nothing that can be brought about on purpose."""

    def cursor(self) -> None:
        msg = "database has been invalidated because of a previous fatal error"
        raise duckdb.FatalException(msg)

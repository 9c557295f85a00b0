"""The embedded DuckDB trusts the extensions of installed wheels, and no other file."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

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

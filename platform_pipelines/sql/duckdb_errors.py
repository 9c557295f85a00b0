"""DuckDB's errors about data and SQL as this package's own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from platform_pipelines.errors import InvalidData
from platform_pipelines.spec.oneline import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def refused(what: str) -> Iterator[None]:
    """Turn errors about values, names and SQL into :class:`InvalidData`; faults of the system pass.

    Args:
        what: what was being done, as the message begins.
    """
    import duckdb

    try:
        yield
    except (duckdb.DataError, duckdb.ProgrammingError, duckdb.IntegrityError, duckdb.NotSupportedError) as error:
        msg = f"{what}: {first_line(error)}"
        raise InvalidData(msg) from error


def first_line(error: BaseException) -> str:
    """What happened, without the excerpt of generated SQL that follows."""
    return one_line(str(error).strip().split("\n\n", maxsplit=1)[0])

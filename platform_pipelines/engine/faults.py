"""Faults of the system that may be met anywhere, as errors of ours: a disk that is full, read-only, failing or gone.

The landing log and the destinations name theirs by themselves; here are those of
temporary files, which every part writes, and of files that vanish while they are read.
"""

from __future__ import annotations

import os
import re
import tempfile

from platform_pipelines.duck import DEFAULT_MEMORY
from platform_pipelines.errors import ConnectError, PipelinesError, UnexpectedError
from platform_pipelines.spec.oneline import one_line

_ADVICE = "`pipelines run NAME "


def advise(error: Exception, pipeline: str) -> None:
    """Put the pipeline's name where the advice of an error says NAME: who raised it did not know it."""
    ours = f"`pipelines run {pipeline} "
    error.args = tuple(each.replace(_ADVICE, ours) if isinstance(each, str) else each for each in error.args)


def as_ours(error: Exception, doing: str) -> PipelinesError:
    """The error as one of this package's; one that nobody foresaw is kept as the cause.

    Args:
        error: what was raised.
        doing: what was being done, as the message begins.
    """
    if isinstance(error, PipelinesError):
        return error
    return of_the_system(error, doing) or UnexpectedError.of(error, doing)


def of_the_system(error: Exception, doing: str) -> ConnectError | None:
    """A fault of the file system, with what to do about it; None for any other error."""
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return _out_of_memory(error, doing)
    if not isinstance(error, OSError | duckdb.IOException):
        return None
    said = one_line(error).rstrip(".")
    found = ConnectError(
        f"{doing} was stopped, because a file cannot be read or written: {said}. Nothing is half done. Make room or "
        f"mend the disk, then run again; temporary files lie in {tempfile.gettempdir()} (TMPDIR)."
    )
    found.__cause__ = error
    return found


def _out_of_memory(error: Exception, doing: str) -> ConnectError:
    limit = re.search(r"/([0-9.]+ [KMGT]iB) used", str(error))
    given = limit[1] if limit else os.environ.get("PIPELINES_DUCKDB_MEMORY") or DEFAULT_MEMORY
    found = ConnectError(
        f"{doing} needs more memory than DuckDB was given ({given}): very wide rows, or very large values. Nothing is "
        "half done. Set PIPELINES_DUCKDB_MEMORY to more, such as 2GB, then run again."
    )
    found.__cause__ = error
    return found

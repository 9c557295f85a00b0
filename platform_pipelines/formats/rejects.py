"""Records that are no records: collected in a workspace, given back as ``Rejected``.

Records whose values do not fit their types are found by ``settle``'s checks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from platform_pipelines.formats.spool import Spool
from platform_pipelines.model import Rejected
from platform_pipelines.rows import to_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from platform_pipelines.formats.workspace import Workspace

_SHOWN = 200
_COLUMNS = ("record", "reason")


class Rejects:
    """Malformed records, on disk, since a file may hold nothing else."""

    def __init__(self, workspace: Workspace) -> None:
        self.count = 0
        self._spool = Spool(workspace)

    def add(self, file: str, line: int, record: Mapping[str, object], problem: str) -> None:
        """Add one: what could be read of it, and what is wrong."""
        text = json.dumps(record, ensure_ascii=False)
        text = text.encode("utf-8", "backslashreplace").decode()
        reason = f"{file} line {line}: {problem}."
        self._spool.add(file, line, _COLUMNS, (text, reason), len(text))
        self.count += 1

    def read(self) -> Iterator[Rejected]:
        """All of them, in the order in which they were met."""
        if not self.count:
            return
        import pyarrow.parquet as pq

        self._spool.close()
        for path in self._spool.files:
            for batch in pq.ParquetFile(path).iter_batches(columns=["record", "reason"]):
                for row in to_rows(batch):
                    yield Rejected(row["record"], row["reason"])


def shown(text: str) -> str:
    """A SQL expression's value as a message shows it: in quotes, not too long."""
    return f"'''' || left({text}, {_SHOWN}) || ''''"

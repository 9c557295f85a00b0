"""The schema a pipeline has agreed on, version by version.

Each version is written once; the last one is what the schema contract compares
new batches with. The comparison itself is left to ``quality``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from platform_pipelines.errors import StoreCorrupt
from platform_pipelines.store import effects
from platform_pipelines.store.arrow import UNREADABLE, decode_schema, encode_schema

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

_VERSION = re.compile(r"(\d{6,})\.json")


class SchemaLog:
    """Versions of one pipeline's schema in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def versions(self) -> list[int]:
        """Version numbers, ascending."""
        if not self._folder.is_dir():
            return []
        return sorted(int(m[1]) for path in self._folder.iterdir() if (m := _VERSION.fullmatch(path.name)))

    def latest(self) -> pa.Schema | None:
        """The schema agreed on last; None before the first batch.

        Raises:
            StoreCorrupt: its file is damaged.
        """
        versions = self.versions()
        if not versions:
            return None
        path = self._folder / f"{versions[-1]:06d}.json"
        try:
            return decode_schema(json.loads(path.read_bytes())["schema"])
        except UNREADABLE as error:
            msg = (
                f"The schema {path} is unreadable ({type(error).__name__}: {error}). Restore it from a backup, or "
                "remove it: the one before it is taken, and where there is none, the next batch's."
            )
            raise StoreCorrupt(msg) from error

    def sweep(self) -> None:
        """Remove what writers left behind that were killed."""
        effects.sweep(self._folder)

    def record(self, schema: pa.Schema, token: str, created_at: str) -> None:
        """Write a new version if the schema differs from the last one; of two runs at once one wins."""
        latest = self.latest()
        if latest is not None and latest.equals(schema, check_metadata=True):
            return
        body = {"schema": encode_schema(schema), "token": token, "created_at": created_at, "text": str(schema)}
        number = max(self.versions(), default=0) + 1
        while not effects.create_if_absent(self._folder / f"{number:06d}.json", json.dumps(body, indent=1).encode()):
            number += 1

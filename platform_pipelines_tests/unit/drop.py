from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.model import Stream, Window
from platform_pipelines.testing.rows import records

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


class Drop:
    """A folder to put files into, and what is read from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def read(
        self,
        name: str,
        window: Window | None = None,
        *,
        expected: pa.Schema | None = None,
        changes: Any = "widen",
        **options: Any,
    ) -> tuple[list[dict[str, Any]], list[str]]:
        file_format = next((f for f in ("jsonl", "json", "parquet") if f".{f}" in name), "csv")
        connector = FilesConnector(root=str(self.folder), format=file_format, options=options)
        stream = Stream(name, expected=expected, type_changes=changes)
        pages = list(connector.read(stream, window or Window(), None))
        self.types = {f.name: str(f.type) for page in pages for batch in page.batches for f in batch.schema}
        return records(pages), [r.reason for page in pages for r in page.rejected]

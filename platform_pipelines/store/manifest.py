"""The manifest of a batch: what was read, up to where, and which files hold it.

Writing a manifest is the commit of its batch. Where manifests lie and how they
become durable is left to ``feedlog``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import StoreCorrupt
from platform_pipelines.model import Feed, Offset
from platform_pipelines.store.arrow import UNREADABLE, decode_schema, encode_schema
from platform_pipelines.store.remedy import reset_command
from platform_pipelines.store.shapes import Kinds, checked, inside

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

FORMAT = 1
_FILE: Kinds = {"path": str, "rows": int, "bytes": int, "sha256": str}
BatchKind = Literal["extract", "window", "replay", "deletes", "rewind"]


@dataclass(frozen=True, slots=True)
class DataFile:
    """One immutable file of a batch.

    Attributes:
        path: relative to the epoch's folder.
        rows: rows in it.
        bytes: its size.
        sha256: hex digest of its content.
    """

    path: str
    rows: int
    bytes: int
    sha256: str

    @classmethod
    def from_json(cls, body: Any) -> DataFile:  # noqa: ANN401 - a JSON value
        """The file that a manifest or verdict names.

        Raises:
            KeyError: a key is missing.
            TypeError: a value is of another type, or there is another key.
            ValueError: the path leads out of the folder.
        """
        found = cls(**checked(body, _FILE))
        inside(found.path)
        return found


@dataclass(frozen=True, slots=True)
class Manifest:
    """One committed batch of a feed.

    Attributes:
        feed: whose batch it is.
        epoch: counted from 1; a full refresh or a reset starts a new one.
        sequence: counted from 1 within the epoch.
        kind: ``extract`` moves the watermark; ``window`` re-reads a range and
            does not; ``replay`` brings dead letters back; ``deletes`` holds
            keys that are gone at the source; ``rewind`` has no rows and takes
            the watermark back.
        complete: whether the extract this batch belongs to came to its end.
        files: Parquet files with the rows as the source gave them.
        rejects: Parquet file with the records that could not be read as declared.
        read: rows the source gave, rejected ones included.
        deduplicated: rows dropped because an earlier batch holds them.
        skipped: rows dropped because their cursor was NULL (``on_missing: skip``).
        cursor_low: lowest cursor of the rows.
        cursor_high: highest cursor of the rows.
        watermark: the feed's watermark once this batch is committed.
        boundary: ``{"=" and cursor text, "null" or "record": base64 of 16-byte row
            hashes}`` of the rows that the next read will meet again.
        columns: the columns the hashes were taken over.
        resume: from where an interrupted extract goes on; None if complete.
        schema: Arrow schema of the rows, for ``deletes`` of those before it;
            None for a batch of an unknown schema.
        replays: dead letters that this batch brought back.
        zones: the IANA zones in which times without one were read, of the ``cursor`` and of the ``partition``;
            empty where none decided, and in manifests from before zones were noted.
        run_id: the run that wrote it.
        token: that run's token.
        created_at: UTC, ISO 8601.
    """

    feed: Feed
    epoch: int
    sequence: int
    token: str
    run_id: str
    created_at: str
    kind: BatchKind = "extract"
    complete: bool = True
    files: tuple[DataFile, ...] = ()
    rejects: DataFile | None = None
    read: int = 0
    deduplicated: int = 0
    skipped: int = 0
    cursor_low: Cursor | None = None
    cursor_high: Cursor | None = None
    watermark: Cursor | None = None
    boundary: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    resume: Any = None
    schema: pa.Schema | None = None
    replays: tuple[dict[str, Any], ...] = ()
    zones: dict[str, str] = field(default_factory=dict)

    @property
    def offset(self) -> Offset:
        """Its place in the feed."""
        return Offset(self.epoch, self.sequence)

    @property
    def rows(self) -> int:
        """Rows landed."""
        return sum(file.rows for file in self.files)

    @property
    def size(self) -> int:
        """Bytes landed."""
        return sum(file.bytes for file in self.files) + (self.rejects.bytes if self.rejects else 0)

    @property
    def rejected(self) -> int:
        """Records that could not be read as declared."""
        return self.rejects.rows if self.rejects else 0

    def to_bytes(self) -> bytes:
        """The JSON form, deterministic."""
        body = {name: getattr(self, name) for name in _PLAIN}
        body |= {name: _cursor(getattr(self, name)) for name in _CURSORS}
        body |= {
            "format": FORMAT,
            "zones": self.zones,
            "pipeline": self.feed.pipeline,
            "partition": self.feed.partition,
            "files": [asdict(file) for file in self.files],
            "rejects": asdict(self.rejects) if self.rejects else None,
            "rows": self.rows,
            "bytes": self.size,
            "schema": encode_schema(self.schema) if self.schema is not None else None,
        }
        return json.dumps(body, indent=1, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, content: bytes, place: Path) -> Manifest:
        """The inverse of :meth:`to_bytes`.

        Raises:
            StoreCorrupt: the content is not a manifest of this format.
        """
        try:
            body = json.loads(content)
            if body["format"] != FORMAT:
                msg = f"Manifest {place} has format {body['format']}; this version reads format {FORMAT}."
                raise StoreCorrupt(msg)
            checked(body, _KINDS)
            values: dict[str, Any] = {name: _tupled(body[name]) for name in _PLAIN}
            values |= {name: Cursor.from_json(body[name]) if body[name] else None for name in _CURSORS}
            zones = checked(body.get("zones", {}), {})  # there are logs that were written before zones were noted
            return cls(
                zones={name: str(zone) for name, zone in zones.items()},
                feed=Feed(body["pipeline"], body["partition"]),
                files=tuple(DataFile.from_json(file) for file in body["files"]),
                rejects=DataFile.from_json(body["rejects"]) if body["rejects"] else None,
                schema=decode_schema(body["schema"]) if body["schema"] else None,
                **values,
            )
        except UNREADABLE as error:
            msg = (
                f"Manifest {place} is unreadable ({type(error).__name__}: {error}). "
                f"Restore it from a backup, or start the feed over with {reset_command(place)}."
            )
            raise StoreCorrupt(msg) from error


_CURSORS = ("cursor_low", "cursor_high", "watermark")
_PLAIN: Kinds = {
    "epoch": int,
    "sequence": int,
    "token": str,
    "run_id": str,
    "created_at": str,
    "kind": str,
    "complete": bool,
    "read": int,
    "deduplicated": int,
    "skipped": int,
    "boundary": dict,
    "columns": list,
    "resume": object,
    "replays": list,
}
_NOTHING = type(None)
_KINDS: Kinds = {
    **_PLAIN,
    "pipeline": str,
    "partition": (str, _NOTHING),
    "files": list,
    "rejects": (dict, _NOTHING),
    "schema": (str, _NOTHING),
}


def _cursor(value: Cursor | None) -> dict[str, str] | None:
    return value.to_json() if value else None


def _tupled(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    return tuple(value) if isinstance(value, list) else value

"""The commit file of a table folder: which files are live, whose they are, how far each feed is loaded.

Writing the data files is left to ``folder``.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from platform_pipelines import durable
from platform_pipelines.errors import ConnectError, StoreCorrupt
from platform_pipelines.formats.table_form import TableForm
from platform_pipelines.model import Offset

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from platform_pipelines.model import Feed, Load

MANIFEST = "_pipelines_loads.manifest"
TEMPORARY = f".tmp-{MANIFEST}"
_FORMAT = 1
_SLUG = re.compile(r"[^A-Za-z0-9]+")
_OURS = re.compile(
    r"(\.tmp-)?[A-Za-z0-9-]{0,40}-[0-9a-f]{12}-e\d{6,}-s\d{6,}-\d{4,}(~v\d+)?\.(parquet|csv|jsonl|json)(\.gz|\.zst)?"
)


@dataclass(frozen=True, slots=True)
class LiveFile:
    """One data file.

    Attributes:
        name: in the folder.
        feed: id of the feed that wrote it.
        rows: rows in it.
        bytes: its size.
    """

    name: str
    feed: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class FolderManifest:
    """What a table folder holds.

    Attributes:
        version: commits so far.
        files: the live files.
        offsets: by feed id: epoch, sequence, rows, token, loaded_at (UTC).
        arrow_schema: the table's Arrow schema, serialized, in base64.
        form: how the files are written; None of a manifest that was written before this was noted.
    """

    version: int = 0
    files: tuple[LiveFile, ...] = ()
    offsets: dict[str, dict[str, object]] = field(default_factory=dict)
    arrow_schema: str | None = None
    form: TableForm | None = None

    def offset(self, feed: Feed) -> Offset | None:
        """How far a feed is loaded."""
        kept = self.offsets.get(feed.id)
        return _offset(kept) if kept else None

    def of_pipeline(self, pipeline: str) -> dict[str, Offset]:
        """How far each of a pipeline's feeds is loaded."""
        feeds = (feed for feed in self.offsets if feed == pipeline or feed.startswith(f"{pipeline}/"))
        return {feed: _offset(self.offsets[feed]) for feed in feeds}

    def schema(self) -> pa.Schema | None:
        """The table's schema; None before the first load."""
        import pyarrow as pa

        if self.arrow_schema is None:
            return None
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.arrow_schema)))

    def after(self, load: Load, files: list[LiveFile], schema: pa.Schema, rows: int, form: TableForm) -> FolderManifest:
        """The manifest after a load."""
        entry = {
            "epoch": load.offset.epoch,
            "sequence": load.offset.sequence,
            "rows": rows,
            "token": load.token,
            "loaded_at": dt.datetime.now(dt.UTC).isoformat(),
        }
        text = base64.b64encode(schema.serialize().to_pybytes()).decode()
        offsets = {**self.offsets, load.feed.id: entry}
        return FolderManifest(self.version + 1, tuple(files), offsets, text, form)

    def without(self, feed: Feed) -> FolderManifest:
        """The manifest without a feed's offset."""
        offsets = {key: value for key, value in self.offsets.items() if key != feed.id}
        return replace(self, version=self.version + 1, offsets=offsets)


def _offset(kept: dict[str, object]) -> Offset:
    return Offset(int(str(kept["epoch"])), int(str(kept["sequence"])))


def read_manifest(folder: Path) -> FolderManifest:
    """The folder's manifest; an empty one before the first commit.

    Raises:
        StoreCorrupt: it is not readable, or of a newer format.
        ConnectError: the folder is no folder, or may not be read.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            msg = f"{path} is of format {content['format']}; this version knows format {_FORMAT}. Upgrade."
            raise StoreCorrupt(msg)
        files = tuple(LiveFile(**entry) for entry in content["files"])
        form = TableForm.noted(content.get("form"))
        return FolderManifest(content["version"], files, content["offsets"], content["arrow_schema"], form)
    except FileNotFoundError:
        return FolderManifest()
    except OSError as error:
        msg = f"The table folder {folder} cannot be read: {error.strerror}. Mend `root` or `table`, or its permissions."
        raise ConnectError(msg) from error
    except (ValueError, KeyError, TypeError) as error:
        msg = (
            f"{path} is not a readable commit file: {error!r}. Restore it from a backup, or remove the folder {folder} "
            "and load the table anew with `pipelines run NAME --full-refresh`, as every pipeline that loads it."
        )
        raise StoreCorrupt(msg) from error


def write_manifest(folder: Path, manifest: FolderManifest) -> None:
    """Put a manifest in place of the old one, durably and at once."""
    text = json.dumps({"format": _FORMAT, **asdict(manifest)}, indent=1, ensure_ascii=False)
    temporary = folder / TEMPORARY
    with durable.create(temporary) as out:
        durable.fill(out, text.encode())
    durable.rename(temporary, folder / MANIFEST)
    durable.sync(folder)


def file_stem(load: Load) -> str:
    """The beginning of the names of a load's files: feed, epoch, sequence."""
    slug = _SLUG.sub("-", load.feed.id)[:40].strip("-")
    digest = hashlib.sha256(load.feed.id.encode()).hexdigest()[:12]
    return f"{slug}-{digest}-e{load.offset.epoch:06d}-s{load.offset.sequence:06d}"


def is_ours(name: str) -> bool:
    """Whether a file has a name that only loads give."""
    return name == TEMPORARY or _OURS.fullmatch(name) is not None


def rewritten_name(name: str, version: int, ending: str) -> str:
    """The name of a live file's next version."""
    stem = name.partition(".")[0]
    return f"{stem.partition('~')[0]}~v{version:06d}.{ending}"

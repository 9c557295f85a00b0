"""The verdict on a batch: which rows passed, what was rejected, and why.

A sealed verdict (passed, released, discarded) is written once and decides what
every destination loads. A held verdict is a note: the batch is judged anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from platform_pipelines.errors import StoreCorrupt
from platform_pipelines.model import Offset
from platform_pipelines.outcomes import RuleOutcome, TransformOutcome
from platform_pipelines.store.arrow import UNREADABLE, decode_schema, encode_schema
from platform_pipelines.store.manifest import DataFile
from platform_pipelines.store.remedy import reset_command
from platform_pipelines.store.shapes import Kinds, checked

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

#: 2 came with ``left_out``
FORMAT = 2

Status = Literal["passed", "held", "released", "discarded"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What validation said of one batch.

    Attributes:
        epoch: of the batch.
        sequence: of the batch.
        status: passed, held, released (a person let it through) or discarded.
        files: Parquet files of the rows to load, relative to the epoch's folder; the batch's own where no row
            was changed.
        left_out: Parquet files that say which rows of ``files`` are rejected, see ``rowfiles.LeftOut``.
        dead: Parquet files of the dead letters, likewise.
        rows_in: rows landed, records that could not be read included.
        rows_out: rows to load.
        filtered: rows taken away by transforms (negative where they add rows).
        rejected: dead letters.
        flagged: rows with a warning.
        rules: what each rule found.
        transforms: what each transform did.
        score: share of row checks passed, 0 to 1.
        reason: why it was held, released or discarded.
        schema: Arrow schema of the rows to load.
        token: the run that judged.
        created_at: UTC, ISO 8601.
    """

    epoch: int
    sequence: int
    status: Status
    token: str
    created_at: str
    rows_in: int = 0
    rows_out: int = 0
    filtered: int = 0
    rejected: int = 0
    flagged: int = 0
    score: float = 1.0
    reason: str = ""
    files: tuple[DataFile, ...] = ()
    left_out: tuple[DataFile, ...] = ()
    dead: tuple[DataFile, ...] = ()
    rules: tuple[RuleOutcome, ...] = ()
    transforms: tuple[TransformOutcome, ...] = ()
    schema: pa.Schema | None = None

    @property
    def offset(self) -> Offset:
        """The batch's place in its feed."""
        return Offset(self.epoch, self.sequence)

    def to_bytes(self) -> bytes:
        """The JSON form."""
        body: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        for name in ("files", "left_out", "dead", "rules", "transforms"):
            body[name] = [_shallow(item) for item in getattr(self, name)]
        body["schema"] = encode_schema(self.schema) if self.schema is not None else None
        body["format"] = FORMAT
        return json.dumps(body, sort_keys=True, default=str).encode()

    @classmethod
    def from_bytes(cls, content: bytes, place: Path) -> Verdict:
        """The inverse of :meth:`to_bytes`.

        Raises:
            StoreCorrupt: the content is not a verdict, or one of a later version.
        """
        try:
            body = json.loads(content)
            if body["format"] > FORMAT:
                msg = (
                    f"Verdict {place} has format {body['format']}; this version reads up to format {FORMAT}. "
                    "Install the version that wrote it."
                )
                raise StoreCorrupt(msg)
            checked(body, _KINDS)
            return cls(
                **{name: body[name] for name in _PLAIN},
                files=tuple(DataFile.from_json(item) for item in body["files"]),
                left_out=tuple(DataFile.from_json(item) for item in (body["left_out"] if body["format"] > 1 else ())),
                dead=tuple(DataFile.from_json(item) for item in body["dead"]),
                rules=tuple(RuleOutcome(**{**item, "sample": tuple(item["sample"])}) for item in body["rules"]),
                transforms=tuple(TransformOutcome(**item) for item in body["transforms"]),
                schema=decode_schema(body["schema"]) if body["schema"] else None,
            )
        except UNREADABLE as error:
            msg = (
                f"Verdict {place} is unreadable ({type(error).__name__}: {error}). "
                f"Restore it from a backup, or start the feed over with {reset_command(place)}."
            )
            raise StoreCorrupt(msg) from error


def _shallow(item: DataFile | RuleOutcome | TransformOutcome) -> dict[str, Any]:
    """The attributes as they are: a batch has many samples, and nobody changes them while they are written."""
    return {each.name: getattr(item, each.name) for each in fields(item)}


_PLAIN: Kinds = {
    "epoch": int,
    "sequence": int,
    "status": str,
    "token": str,
    "created_at": str,
    "rows_in": int,
    "rows_out": int,
    "filtered": int,
    "rejected": int,
    "flagged": int,
    "score": (int, float),
    "reason": str,
}
_KINDS: Kinds = {
    **_PLAIN,
    "format": int,
    "files": list,
    "dead": list,
    "rules": list,
    "transforms": list,
    "schema": (str, type(None)),
}

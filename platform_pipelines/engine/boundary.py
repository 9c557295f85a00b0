"""Rows that two reads meet: found again by hash, dropped once each.

A read begins at the watermark, so rows at the watermark (or within ``lag``
below it) come again. Each manifest keeps the hashes of those rows; a row is
dropped if its hash is still owed, and counted. A row that changed without
moving its cursor has another hash and is kept.

What the next read is owed is what this one met. Hashes that it did not meet are
kept too, but where it would have: a row that is gone, and comes back changed
and changed again, is read each time.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from platform_pipelines.cursor import NANOS_PER_UNIT, Cursor
from platform_pipelines.engine.rowhash import RowHasher
from platform_pipelines.kernels import call
from platform_pipelines.rows import all_but

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

    from platform_pipelines.cursor import CursorKind
    from platform_pipelines.model import Rejected

_WIDTH = 16
#: rows that may wait to be hashed
_MOST_WAITING = 100_000
#: under which key hashes are kept: of rows with a NULL cursor, of records that could not be read, of others
NO_CURSOR, _RECORD, _VALUE = "null", "record", "="


class Boundary:
    """The hashes one read owes and the hashes it leaves to the next.

    Args:
        field: the cursor field.
        owed: the last manifest's boundary.
        columns: the columns its hashes were taken over; empty at the first read.
        reread_from: the lowest cursor that the next read will meet again, given
            the highest seen.
        seen: lowest and highest cursor of the rows before an interruption;
            given where this read goes on behind it.
    """

    def __init__(
        self,
        field: str,
        owed: Mapping[str, str],
        columns: tuple[str, ...],
        reread_from: Callable[[Cursor], Cursor],
        seen: tuple[Cursor | None, Cursor | None] | None = None,
    ) -> None:
        self._field = field
        self._owed = {key: Counter(_unpack(packed)) for key, packed in owed.items()}
        self._met: dict[str, Counter[bytes]] = {}
        #: rows that the next read may meet again, as far as is known yet
        self._waiting: list[pa.RecordBatch] = []
        self._owed_columns = columns
        self._reread_from = reread_from
        self._hasher = RowHasher()
        self._resumed = seen is not None
        self.low, self.high = seen or (None, None)
        self.columns: tuple[str, ...] = columns

    @property
    def owed(self) -> int:
        """How many rows and records of earlier batches have not come again yet."""
        return sum(hashes.total() for hashes in self._owed.values())

    @property
    def unmet(self) -> frozenset[str]:
        """Under which keys hashes of earlier batches stay owed: where a whole read met some rows, it met all."""
        if self._resumed:
            return frozenset(self._owed)
        return frozenset(key for key in self._owed if key.startswith(_VALUE) and key not in self._met)

    def drop_known(self, batch: pa.RecordBatch, watermark: Cursor | None) -> pa.RecordBatch:
        """The batch without the rows an earlier batch holds."""
        if not self._owed:
            return batch
        candidates, rows = _missing_or(batch, self._field, watermark, "less_equal")
        if not rows.num_rows:
            return batch
        dropped: list[Any] = []
        keys = _keys(rows, self._field)
        digests = self._hasher.digests(rows, self._owed_columns)
        names = tuple(rows.schema.names)
        left = digests if names == self._owed_columns else self._hasher.digests(rows, names)
        for index, key, digest, next_digest in zip(candidates.to_pylist(), keys, digests, left, strict=True):
            if self._settle(key, digest):
                dropped.append(index)
                self._meet(key, next_digest)
        self.columns = names
        return call("filter", batch, all_but(batch.num_rows, dropped)) if dropped else batch

    def drop_known_records(self, rejected: Sequence[Rejected]) -> list[Rejected]:
        """The unreadable records that no earlier batch holds."""
        kept = []
        for item in rejected:
            digest = hashlib.md5(f"{item.record}\0{item.reason}".encode(), usedforsecurity=False).digest()
            if not self._settle(_RECORD, digest):
                kept.append(item)
            self._meet(_RECORD, digest)
        return kept

    def observe(self, batch: pa.RecordBatch) -> None:
        """Note the cursors of rows that are kept, and the hashes the next read will owe."""
        column = batch.column(self._field)
        self.columns = tuple(batch.schema.names)
        extremes = call("min_max", column)
        low, high = Cursor.from_scalar(extremes["min"]), Cursor.from_scalar(extremes["max"])
        threshold = None
        if high is not None and low is not None:
            self.high = high if self.high is None or high.at_least(self.high) else self.high
            self.low = low if self.low is None or self.low.at_least(low) else self.low
            threshold = self._reread_from(self.high)
        if column.null_count or (high is not None and threshold is not None and high.at_least(threshold)):
            rows = _missing_or(batch, self._field, threshold, "greater_equal")[1]
            self._waiting.append(rows)
            if sum(each.num_rows for each in self._waiting) >= _MOST_WAITING:
                self._hash_waiting()

    def leave(self, watermark: Cursor | None, *, complete: bool) -> dict[str, str]:
        """The hashes for the manifest: those the next read from ``watermark`` will meet again.

        Args:
            watermark: from where the next read reads.
            complete: whether this read came to its end; if not, it goes on behind what it has met.
        """
        self._hash_waiting()
        threshold = self._reread_from(watermark) if watermark else None
        kept = {}
        for key in {**self._owed, **self._met}:
            value = key.removeprefix(_VALUE) if key.startswith(_VALUE) else None
            if value is None or threshold is None or Cursor(threshold.kind, value).at_least(threshold):
                hashes = self._met.get(key, Counter()) + self._still_owed(key, complete=complete)
                if hashes:
                    kept[key] = _pack(hashes)
        return kept

    def _hash_waiting(self) -> None:
        """Hash the rows that wait, without those that a higher cursor has left behind meanwhile."""
        threshold = None if self.high is None else self._reread_from(self.high)
        for waiting in self._waiting:
            rows = _missing_or(waiting, self._field, threshold, "greater_equal")[1]
            if rows.num_rows:
                digests = self._hasher.digests(rows, tuple(rows.schema.names))
                for key, digest in zip(_keys(rows, self._field), digests, strict=True):
                    self._meet(key, digest)
        self._waiting = []

    def _still_owed(self, key: str, *, complete: bool) -> Counter[bytes]:
        """Hashes that were not met; none where the read has met all that is there under this key.

        A read may end below the watermark (at the oldest open transaction), so
        cursors of which it met nothing stay owed. Rows without a cursor and
        unreadable records are met by every read that is not a part of one.
        """
        whole = complete and not self._resumed
        if whole and (key in self._met or not key.startswith(_VALUE)):
            return Counter()
        return +self._owed.get(key, Counter())

    def _settle(self, key: str, digest: bytes) -> bool:
        owed = self._owed.get(key)
        if not owed or owed[digest] <= 0:
            return False
        owed[digest] -= 1
        return True

    def _meet(self, key: str, digest: bytes) -> None:
        self._met.setdefault(key, Counter())[digest] += 1


def without(
    boundary: Mapping[str, str], columns: tuple[str, ...], field: str, rows: Iterable[pa.RecordBatch]
) -> dict[str, str]:
    """A boundary without the hashes of these rows, whose values are as they were landed.

    Args:
        boundary: see :attr:`Manifest.boundary`.
        columns: the columns its hashes were taken over.
        field: the cursor field.
        rows: have these columns, or lack some.
    """
    left, hasher = {key: Counter(_unpack(packed)) for key, packed in boundary.items()}, RowHasher()
    for batch in rows:
        for key, digest in zip(_keys(batch, field), hasher.digests(batch, columns), strict=True):
            left.get(key, Counter()).pop(digest, None)
    return {key: _pack(hashes) for key, hashes in left.items() if hashes}


def at_or_missing(batch: pa.RecordBatch, field: str, low: Cursor | None) -> pa.RecordBatch:
    """The rows whose cursor is NULL or not below ``low``; None stands for no cursor at all."""
    return _missing_or(batch, field, low, "greater_equal")[1]


def lowest(boundary: Mapping[str, str], kind: CursorKind) -> Cursor | None:
    """The lowest cursor of the rows in a boundary; None where none has one."""
    found = (Cursor(kind, key.removeprefix(_VALUE)) for key in boundary if key.startswith(_VALUE))
    return min(found, key=lambda cursor: cursor.order, default=None)


def _keys(rows: pa.RecordBatch, field: str) -> list[str]:
    encoded = call("dictionary_encode", rows.column(field))
    texts = [Cursor.from_scalar(value) for value in encoded.dictionary]
    keys = [_VALUE + cursor.text if cursor else NO_CURSOR for cursor in texts]
    return [NO_CURSOR if index is None else keys[index] for index in encoded.indices.to_pylist()]


def _missing_or(
    batch: pa.RecordBatch, field: str, bound: Cursor | None, compare: str
) -> tuple[pa.Array[Any], pa.RecordBatch]:
    """Positions and rows whose cursor is NULL or compares with ``bound``, by an Arrow function of that name."""
    column = batch.column(field)
    chosen = call("is_null", column)
    if bound is not None:
        chosen = call("or_kleene", chosen, call(compare, column, _cursor_scalar(bound, column.type)))
    positions = call("indices_nonzero", chosen)
    return positions, call("take", batch, positions)


def _cursor_scalar(cursor: Cursor, data_type: pa.DataType) -> pa.Scalar[Any]:
    """The cursor as an Arrow scalar of ``data_type``, cut to its unit."""
    import pyarrow as pa

    value = cursor.order
    if pa.types.is_timestamp(data_type):
        value //= NANOS_PER_UNIT[data_type.unit]
    elif pa.types.is_date(data_type):
        value = dt.date.fromisoformat(cursor.text)
    return pa.scalar(value, type=data_type)


def _pack(hashes: Counter[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(hashes.elements()))).decode()


def _unpack(packed: str) -> list[bytes]:
    raw = base64.b64decode(packed)
    return [raw[i : i + _WIDTH] for i in range(0, len(raw), _WIDTH)]

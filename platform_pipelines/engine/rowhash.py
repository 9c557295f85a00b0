"""Hashes of rows, by which two reads know the same row again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

#: columns whose texts are hashed as one; DuckDB takes no more than 1,000 in one expression
_MOST = 900
#: columns of one statement where there are more: planning takes longer than in proportion
_AT_ONCE = 200


class RowHasher:
    """MD5 over the length-prefixed text of every value: equal rows, equal hashes, on every platform.

    A value has the same text in a wider type: files that arrive may widen a
    column, and the rows at the watermark then come again in that type. Of very
    many columns it is the hash of the hashes of some at a time.
    """

    def __init__(self) -> None:
        self._connection: Any = None

    def digests(self, rows: pa.RecordBatch, columns: tuple[str, ...]) -> list[bytes]:
        """The hashes of rows, over ``columns`` (all of theirs if there are none), which they may lack some of."""
        names = columns or tuple(rows.schema.names)
        if len(names) <= _MOST:
            return self._hashed(rows, names)
        parts = (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
        each = zip(*(self._hashed(rows, part) for part in parts), strict=True)
        return [hashlib.md5(b"".join(found), usedforsecurity=False).digest() for found in each]

    def _hashed(self, rows: pa.RecordBatch, names: Sequence[str]) -> list[bytes]:
        """For each row the hash of the texts of some columns, one behind the other."""
        import pyarrow as pa

        if self._connection is None:
            self._connection = duck.at_hand()
        kinds = {field.name: field.type for field in rows.schema}
        present = [name for name in names if name in kinds]
        # by number: DuckDB tells `a` and `A` apart no more than it can call a column without a name
        called = {name: f"c{number}" for number, name in enumerate(present)}
        parts = [_canonical(called[name], kinds[name]) if name in called else "'N'" for name in names]
        chosen = pa.table(rows.select(present or rows.schema.names[:1]))
        numbered = chosen.rename_columns([f"c{number}" for number in range(chosen.num_columns)])
        self._connection.register("boundary_rows", numbered)
        try:
            found = self._connection.execute(f"select unhex(md5({' || '.join(parts)})) from boundary_rows").fetchall()
            return [digest for (digest,) in found]
        finally:
            self._connection.unregister("boundary_rows")


def _canonical(name: str, kind: pa.DataType) -> str:
    import pyarrow.types as t

    text = f"cast({duck.quote(name)} as varchar)"
    if t.is_decimal(kind) or t.is_floating(kind):  # 1.50 and 1.5, 1.0 and the integer 1
        text = rf"regexp_replace({text}, '\.0+$|(\.\d*?[1-9])0+$', '\1')"
    elif t.is_timestamp(kind) and not kind.tz:  # midnight and the date
        text = f"regexp_replace({text}, ' 00:00:00$', '')"
    return f"coalesce(length({text}) || ':' || {text}, 'N')"

"""Where a long read may go on after a restart: at the highest cursor that came, without the rows that came with it.

Page numbers and tokens may shift or expire meanwhile; the cursor does not. This
holds only where records come in the order of the cursor, which is verified.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.json_convert import convert, record_texts
from platform_pipelines.formats.memory_merge import select
from platform_pipelines.model import Page
from platform_pipelines.rows import all_but

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from platform_pipelines.formats.json_convert import Target
    from platform_pipelines.model import Rejected, Window

_ROW = "_pipelines_row"


class Place:
    """How far an ordered read has come.

    Args:
        stream: its name, for messages.
        field: the cursor's field.
        resume: what :meth:`token` gave in an earlier run; None for a read from the start.
    """

    def __init__(self, stream: str, field: str, resume: Any) -> None:  # noqa: ANN401 - a JSON value
        self._stream = stream
        self._field = field
        self._high = Cursor.from_json(resume["cursor"]) if resume else None
        self._known = frozenset(resume["seen"]) if resume else frozenset()
        self._start = self._high
        self._seen: set[str] = set(self._known)
        self._safe = True

    def window(self, window: Window) -> Window:
        """The window from here on."""
        return window if self._high is None else replace(window, low=self._high)

    def page(
        self,
        batch: pa.RecordBatch,
        targets: Sequence[Target],
        window: Window,
        rejected: tuple[Rejected, ...],
        shown: str,
    ) -> Page:
        """A page's rows of the window, without those that came before the restart.

        Raises:
            InvalidData: a cursor is lower than one that came before.
        """
        import pyarrow as pa

        numbered = batch.append_column(_ROW, pa.array(range(batch.num_rows), pa.int64()))
        row = replace(targets[0], name=_ROW, field=pa.field(_ROW, pa.int64()), cast=None)
        typed, misfits = convert(pa.Table.from_batches([numbered]), [*targets, row])
        rows = select(pa.Table.from_batches([typed]), window).combine_chunks()
        self._check_order(rows, shown)
        at_start = self._rows_at(rows, batch, self._start) if self._start else {}
        dropped = [index for index, digest in at_start.items() if digest in self._known]
        self._advance(rows, batch)
        kept = rows.filter(all_but(rows.num_rows, dropped)).drop_columns([_ROW]).combine_chunks().to_batches()
        empty = typed.slice(0, 0).drop_columns([_ROW])
        return Page((kept[0] if kept else empty,), self.token(), (*rejected, *misfits))

    def token(self) -> Any:  # noqa: ANN401 - a JSON value
        """What a later run goes on from; None where that would not be safe."""
        if self._high is None or not self._safe:
            return None
        return {"cursor": self._high.to_json(), "seen": sorted(self._seen)}

    def _check_order(self, rows: pa.Table, shown: str) -> None:
        import pyarrow.compute as pc

        if self._field not in rows.column_names or not rows.num_rows:
            return
        column = rows.column(self._field)
        if column.null_count:  # where such records stand in the order is not known
            self._safe = False
        filled = column.drop_null().combine_chunks()
        low = Cursor.from_scalar(pc.min(filled))
        back = len(filled) > 1 and pc.any(pc.less(filled.slice(1), filled.slice(0, len(filled) - 1))).as_py()
        if back or (low is not None and self._high is not None and not low.at_least(self._high)):
            msg = (
                f"{shown}: stream {self._stream!r} is declared `order: ascending`, but `{self._field}` goes back"
                f"{f' to {low.text}' if low else ''}. What was landed before is kept. Ask the API to sort by it "
                "(`params`), or leave `order` out: then the read commits once, at its end."
            )
            raise InvalidData(msg)

    def _advance(self, rows: pa.Table, batch: pa.RecordBatch) -> None:
        import pyarrow.compute as pc

        if self._field not in rows.column_names:
            return
        high = Cursor.from_scalar(pc.max(rows.column(self._field)))
        if high is None:
            return
        if self._high is None or high != self._high:
            self._high, self._seen = high, set()
        self._seen |= set(self._rows_at(rows, batch, high).values())

    def _rows_at(self, rows: pa.Table, batch: pa.RecordBatch, cursor: Cursor | None) -> dict[int, str]:
        """Digests of the records whose cursor is this, by their place in ``rows``."""
        if self._field not in rows.column_names or cursor is None:
            return {}
        places = [i for i, value in enumerate(rows.column(self._field)) if Cursor.from_scalar(value) == cursor]
        numbers = [rows.column(_ROW)[place].as_py() for place in places]
        texts = record_texts(batch, numbers)
        return {
            place: hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
            for place, text in zip(places, texts, strict=True)
        }

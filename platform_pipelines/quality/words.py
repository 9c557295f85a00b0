"""Sentences for many rows at once, built by Arrow.

pyarrow's type stubs know these kernels only in part; the looseness stays in here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    #: true for each row that fails, never NULL
    Mask = pa.BooleanArray

#: characters of a value that a sentence quotes
SHOWN = 80
_SEPARATOR = "; "


def shown(column: Any) -> pa.StringArray:  # noqa: ANN401 - an array of any type
    """The first characters of each value as text; NULL as ``NULL``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        text: Any = pc.cast(column, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        text = pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    cut: Any = pc.utf8_slice_codeunits(text, 0, SHOWN)
    filled: pa.StringArray = cut.fill_null("NULL")
    return filled


def concat(*parts: pa.StringArray | str, separator: str = "") -> pa.StringArray:
    """The parts of each row, joined; a plain text is the same in every row, NULL is not allowed."""
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc
    columns = [pa.scalar(part) if isinstance(part, str) else part for part in parts]
    joined: pa.StringArray = compute.binary_join_element_wise(*columns, separator)
    return joined


def listed(parts: Sequence[tuple[Any, pa.StringArray | str]]) -> pa.StringArray:
    """For each row the texts whose mask is true, joined by ``; ``.

    Args:
        parts: masks and texts, at least one.
    """
    import pyarrow.compute as pc

    # Not by null_handling="skip": pyarrow 26 drops rows in which every part is NULL.
    compute: Any = pc
    pieces = [compute.if_else(mask, concat(_SEPARATOR, text), "") for mask, text in parts]
    joined: Any = compute.binary_join_element_wise(*pieces, "") if len(pieces) > 1 else pieces[0]
    cut: pa.StringArray = compute.utf8_slice_codeunits(joined, len(_SEPARATOR))
    return cut


def mask_of(rows: int, places: Iterable[int]) -> Mask:
    """A mask that is true at these rows of so many."""
    import pyarrow as pa

    marks = bytearray(rows)
    for place in places:
        marks[place] = 1
    mask: Any = pa.Array.from_buffers(pa.uint8(), rows, [None, pa.py_buffer(bytes(marks))]).cast(pa.bool_())
    found: Mask = mask
    return found


def repeated(text: str, rows: int) -> pa.StringArray:
    """The same text for each row."""
    import pyarrow as pa

    filled: Any = pa.array([text], pa.string()).take(pa.array([0] * rows, pa.int32()))
    texts: pa.StringArray = filled
    return texts

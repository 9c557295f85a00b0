"""The ``unique`` rule: of rows with equal fields one is kept, the others fail.

Kept is the row with the highest cursor; where there is no cursor, or equal ones,
the first. NULL semantics: NULLs are distinct, so a row with NULL in one of the
fields never fails.

A cheap pass over hashes of the fields tells whether there are duplicates at all.
Only their hashes are then kept, 8 bytes each beside the highest cursor; hashes
that two different keys share are noticed, and the next salt is tried. Which
candidate is the first is decided in the one pass over the rows, so exactly one
is kept whatever the order of the relation.
"""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.kernels import call
from platform_pipelines.quality.words import mask_of
from platform_pipelines.relations import count, unused_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.quality.rowtest import RowTest
    from platform_pipelines.quality.words import Mask


#: keys that DuckDB can tell most other rows from; of more, every row's hash is looked at here
_FEW = 100_000
#: bits for each such key: one row in so many is looked at without need
_BITS_OF_KEY = 128
_LEAST_BITS, _MOST_BITS = 1 << 10, 1 << 20


@dataclass(slots=True)
class Duplicates:
    """Tests one unique rule; see :class:`Tester`. Remembers, over the chunks, whose row was kept.

    Attributes:
        test: the rule.
        hashed: SQL of a row's hash; NULL where it cannot be a duplicate.
        suspects: SQL that is true where it may be one; None if there are too many to tell.
        name: of the column that holds it.
        hashes: of the keys that occur more than once, ascending.
        best: the highest cursor of each; None without a cursor.
        cursor: the cursor column.
    """

    test: RowTest
    hashed: str
    suspects: str | None
    name: str
    hashes: pa.UInt64Array
    best: Any
    cursor: str | None
    _kept: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self._kept = bytearray(len(self.hashes))

    @property
    def tests(self) -> Sequence[RowTest]:
        """The one test it runs."""
        return [self.test]

    @property
    def extra(self) -> Sequence[str]:
        """The row's hash."""
        return [f"{self.hashed} as {quote(self.name)}"]

    def failing(self, rows: pa.RecordBatch, extra: pa.RecordBatch) -> list[Mask | None]:
        """The mask of duplicates that are not the one to keep."""
        import pyarrow as pa

        column: Any = extra.column(self.name)
        last = pa.scalar(len(self.hashes) - 1, pa.uint64())
        places = call("min_element_wise", call("search_sorted", self.hashes, column), last)
        candidates = call("equal", self.hashes.take(places), column).fill_null(False)  # noqa: FBT003 - a value, no flag
        if not candidates.true_count:
            return [None]
        newest = call("and", candidates, self._newest(rows.column(self.cursor), places)) if self.cursor else candidates
        indices = call("indices_nonzero", newest)
        first = self._first(indices.to_pylist(), places.take(indices).to_pylist())
        return [call("and_not", candidates, mask_of(rows.num_rows, first))]

    def _first(self, indices: list[int], places: list[int]) -> Iterator[int]:
        """The first row of each key of which none was kept so far."""
        for index, place in zip(indices, places, strict=True):
            if not self._kept[place]:
                self._kept[place] = True
                yield index

    def _newest(self, ours: Any, places: pa.UInt64Array) -> Mask:  # noqa: ANN401 - a column of any type
        """Which of the rows bear the highest cursor of their key; NULL is the highest only among NULLs."""
        best = self.best.take(places)
        same = call("equal", ours, best).fill_null(False)  # noqa: FBT003 - a value, no flag
        # Neither NULL nor NaN, the highest float in DuckDB, equals itself in Arrow.
        odd = call("and", best.is_null(nan_is_null=True), ours.is_null(nan_is_null=True))
        alike = call("and", odd, call("equal", best.is_null(), ours.is_null()))
        newest: Mask = call("or", same, alike)
        return newest


def find(
    connection: duckdb.DuckDBPyConnection, relation: str, fields: Sequence[str], cursor: str | None, test: RowTest
) -> Duplicates | None:
    """Look for duplicates; None where there are none, so that the pass has nothing to do."""
    search = _Search(connection, relation, tuple(quote(name) for name in fields), cursor)
    for salt in itertools.count():
        keys = search.keys(salt)
        if keys is None:
            return None
        table = connection.execute(f"select hashed, best from {quote(keys)} order by hashed").to_arrow_table()
        hashes: Any = table["hashed"].combine_chunks()
        if not call("equal", hashes.slice(1), hashes.slice(0, len(hashes) - 1)).true_count:
            best = table["best"].combine_chunks() if cursor else None
            suspects = f"({search.filled} and {_among(search.hashed(salt), hashes)})" if len(hashes) <= _FEW else None
            hashed = f"case when {suspects or search.filled} then {search.hashed(salt)} end"
            return Duplicates(test, hashed, suspects, unused_name("hash"), hashes, best, cursor)
        connection.execute(f"drop table {quote(keys)}")
    return None


def _among(hashed: str, hashes: pa.UInt64Array) -> str:
    """True for these hashes and few others; unlike a look into a table this keeps rows in order."""
    import pyarrow as pa

    size = 1 << (len(hashes) * _BITS_OF_KEY).bit_length()
    size = max(_LEAST_BITS, min(size, _MOST_BITS))
    bits = bytearray(size // 8)
    for place in call("bit_wise_and", hashes, pa.scalar(size - 1, pa.uint64())).to_pylist():
        bits[place >> 3] |= 0x80 >> (place & 7)
    text = base64.b64encode(bits).decode()
    return f"get_bit(from_base64('{text}')::bit, ({hashed} & {size - 1})::integer) = 1"


@dataclass(frozen=True, slots=True)
class _Search:
    connection: duckdb.DuckDBPyConnection
    relation: str
    names: tuple[str, ...]
    cursor: str | None

    @property
    def filled(self) -> str:
        return " and ".join(f"{name} is not null" for name in self.names)

    def hashed(self, salt: int) -> str:
        return f"hash({', '.join([str(salt), *self.names])})"

    def keys(self, salt: int) -> str | None:
        """A table of the keys whose hash occurs more than once; None if there is no such hash."""
        hashed, source = self.hashed(salt), quote(self.relation)
        suspects, keys = unused_name("suspects"), unused_name("keys")
        self.connection.execute(
            f"create temp table {quote(suspects)} as select {hashed} as hashed from {source} where {self.filled} "
            f"group by {hashed} having count(*) > 1"
        )
        if not count(self.connection, suspects):
            return None
        best = f"max({quote(self.cursor)})" if self.cursor else "null"
        self.connection.execute(
            f"create temp table {quote(keys)} as select {hashed} as hashed, {best} as best from {source} "
            f"where {self.filled} and {hashed} in (from {quote(suspects)}) group by {', '.join([hashed, *self.names])}"
        )
        self.connection.execute(f"drop table {quote(suspects)}")
        return keys

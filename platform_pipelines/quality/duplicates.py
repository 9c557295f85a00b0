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
from platform_pipelines.relations import count, unused_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import numpy as np
    import numpy.typing as npt
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
    hashes: npt.NDArray[np.uint64]
    best: Any
    cursor: str | None
    _kept: Mask = field(init=False)

    def __post_init__(self) -> None:
        import numpy as np

        self._kept = np.zeros(len(self.hashes), dtype=bool)

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
        import numpy as np

        column: Any = extra.column(self.name)
        found = column.drop_null().to_numpy(zero_copy_only=False)
        places = np.searchsorted(self.hashes, found).clip(max=len(self.hashes) - 1)
        same = self.hashes[places] == found
        if not same.any():
            return [None]
        candidates = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))[same]
        failing: Mask = np.zeros(rows.num_rows, dtype=bool)
        failing[candidates] = True
        newest = self._newest(rows, candidates, places[same])
        candidates, places = candidates[newest], places[same][newest]
        fresh, first = np.unique(places, return_index=True)
        first = first[~self._kept[fresh]]
        self._kept[fresh] = True
        failing[candidates[first]] = False
        return [failing]

    def _newest(self, rows: pa.RecordBatch, indices: npt.NDArray[np.intp], places: npt.NDArray[np.intp]) -> Mask:
        """Which of the rows bear the highest cursor of their key; NULL is the highest only among NULLs."""
        import numpy as np
        import pyarrow.compute as pc

        if self.cursor is None:
            return np.ones(len(indices), dtype=bool)
        compute: Any = pc
        ours, best = rows.column(self.cursor).take(indices), self.best.take(places)
        same = compute.fill_null(compute.equal(ours, best), False)  # noqa: FBT003 - a value, no flag
        # Neither NULL nor NaN, the highest float in DuckDB, equals itself in Arrow.
        odd = compute.and_(best.is_null(nan_is_null=True), ours.is_null(nan_is_null=True))
        alike = compute.and_(odd, compute.equal(best.is_null(), ours.is_null()))
        newest: Mask = compute.or_(same, alike).to_numpy(zero_copy_only=False)
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
        hashes = table["hashed"].to_numpy()
        if (hashes[1:] != hashes[:-1]).all():
            best = table["best"].combine_chunks() if cursor else None
            suspects = f"({search.filled} and {_among(search.hashed(salt), hashes)})" if len(hashes) <= _FEW else None
            hashed = f"case when {suspects or search.filled} then {search.hashed(salt)} end"
            return Duplicates(test, hashed, suspects, unused_name("hash"), hashes, best, cursor)
        connection.execute(f"drop table {quote(keys)}")
    return None


def _among(hashed: str, hashes: npt.NDArray[np.uint64]) -> str:
    """True for these hashes and few others; unlike a look into a table this keeps rows in order."""
    import numpy as np

    size = 1 << (len(hashes) * _BITS_OF_KEY).bit_length()
    size = max(_LEAST_BITS, min(size, _MOST_BITS))
    bits = np.zeros(size, dtype=bool)
    bits[hashes & np.uint64(size - 1)] = True
    text = base64.b64encode(np.packbits(bits).tobytes()).decode()
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

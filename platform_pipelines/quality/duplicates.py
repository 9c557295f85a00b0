"""The ``unique`` rule: of rows with equal fields one is kept, the others fail.

Kept is the row with the highest cursor; where there is no cursor, or equal ones,
the first. NULL semantics: NULLs are distinct, so a row with NULL in one of the
fields never fails.

A cheap pass over hashes of the fields tells whether there are duplicates at all;
only their keys are then kept in a table, and each row of the one streaming pass
learns whether it is a candidate. Which candidate is the first is decided in
that pass, so the rule does not depend on a stable order of the relation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from platform_pipelines.duck import quote
from platform_pipelines.relations import count, unused_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.quality.rowtest import RowTest
    from platform_pipelines.quality.words import Mask


@dataclass(slots=True)
class Duplicates:
    """Tests one unique rule; see :class:`Tester`. Remembers, over the chunks, whose first row was seen."""

    test: RowTest
    name: str
    keys: str
    fields: tuple[str, ...]
    cursor: str | None
    _seen: Mask = field(init=False)

    def __post_init__(self) -> None:
        self._seen = _none_seen(0)

    @property
    def tests(self) -> Sequence[RowTest]:
        """The one test it runs."""
        return [self.test]

    @property
    def extra(self) -> Sequence[str]:
        """Nothing: what it wants comes from its join."""
        return ()

    @property
    def matched(self) -> Sequence[str]:
        """The number of the row's duplicate key, and whether the row bears its highest cursor."""
        table = quote(self.name)
        newest = f"judged.{quote(self.cursor)} is not distinct from {table}.best" if self.cursor else "true"
        return [f"{table}.key as {quote(self.name + '_key')}", f"{newest} as {quote(self.name + '_newest')}"]

    @property
    def joined(self) -> str:
        """The join that gives every row of ``judged`` its duplicate key."""
        table = quote(self.name)
        on = " and ".join(f"judged.{quote(name)} = {table}.f{i}" for i, name in enumerate(self.fields))
        return f"left join {quote(self.keys)} as {table} on {on}"

    def failing(self, rows: pa.RecordBatch, extra: pa.RecordBatch) -> list[Mask | None]:
        """The mask of duplicates that are not the one to keep."""
        import numpy as np

        del rows
        column = extra.column(f"{self.name}_key")
        if column.null_count == len(column):
            return [None]
        keys = column.fill_null(-1).to_numpy(zero_copy_only=False)
        newest = extra.column(f"{self.name}_newest").to_numpy(zero_copy_only=False)
        failing: Mask = keys >= 0
        candidates = np.flatnonzero(failing & newest)
        fresh, first = np.unique(keys[candidates], return_index=True)
        self._grow(int(keys.max()) + 1)
        kept = first[~self._seen[fresh]]
        self._seen[fresh] = True
        failing[candidates[kept]] = False
        return [failing if failing.any() else None]

    def _grow(self, size: int) -> None:
        import numpy as np

        if size > len(self._seen):
            self._seen = np.concatenate([self._seen, _none_seen(2 * size - len(self._seen))])


def find(
    connection: duckdb.DuckDBPyConnection, relation: str, fields: Sequence[str], cursor: str | None, test: RowTest
) -> Duplicates | None:
    """Look for duplicates; None where there are none, so that nothing has to be joined."""
    names = [quote(name) for name in fields]
    filled = " and ".join(f"{name} is not null" for name in names)
    hashed, source = f"hash({', '.join(names)})", quote(relation)
    suspects = unused_name("suspects")
    connection.execute(
        f"create temp table {quote(suspects)} as select {hashed} as h from {source} where {filled} "
        f"group by {hashed} having count(*) > 1"
    )
    if not count(connection, suspects):
        return None
    keys = unused_name("duplicates")
    best = f", max({quote(cursor)}) as best" if cursor else ""
    listed = ", ".join(f"{name} as f{i}" for i, name in enumerate(names))
    connection.execute(
        f"create temp table {quote(keys)} as select row_number() over () - 1 as key, * from ("
        f"select {listed}{best} from {source} where {filled} and {hashed} in (from {quote(suspects)}) "
        f"group by {', '.join(str(i) for i, _ in enumerate(names, start=1))} having count(*) > 1)"
    )
    if not count(connection, keys):
        return None
    return Duplicates(test, unused_name("unique"), keys, tuple(fields), cursor)


def _none_seen(size: int) -> Mask:
    import numpy as np

    return np.zeros(size, dtype=bool)

"""The rows a ``python`` transform yields, chunk by chunk, under a schema that only grows.

Columns that no record changed stay where they are and keep their types; changed
ones come from Arrow. A column's type is the one that came in, if every value fits
it exactly, else the smallest that holds all values so far; a value that fits
none is handed back as a misfit. Each growth begins a new segment; a view over
all segments casts the earlier ones, which loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.relations import columns, unused_name
from platform_pipelines.transforms import record_types
from platform_pipelines.transforms.step import CURSOR_COLUMN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from platform_pipelines.transforms.record_values import Answered
    from platform_pipelines.transforms.step import Step

#: columns of ours, which no record sees and every row keeps
OURS = "_pipelines_"
_KEEP, _ROW = "_pipelines_keep", "_pipelines_row"


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows ``first <= rowid < end`` of a table."""

    table: str
    first: int
    end: int

    @property
    def sql(self) -> str:
        """A SELECT of these rows, in order."""
        return f"select * from {quote(self.table)} where rowid >= {self.first} and rowid < {self.end}"


class RecordTable:
    """The output of one transform over one batch.

    Args:
        step: what is built.
        passing: columns that no record holds and that go on as they are.
    """

    def __init__(self, step: Step, passing: frozenset[str]) -> None:
        self._step = step
        self._passing = passing
        self._types: dict[str, str] = {name: kind for name, kind in step.columns.items() if name in passing}
        self._changed: set[str] = set()
        self._segments: list[str] = []
        self._expected = _duck_types(step) if step.expected is not None else {}
        self._shadowed = step.cursor if step.cursor is not None and step.cursor not in passing else None

    def add(self, part: Slice, keep: np.ndarray[Any, Any], answers: Sequence[Answered]) -> dict[int, str]:
        """Add the rows of ``part`` that are kept.

        Returns:
            Rows left out because a value fits no type of its column: ``{row: reason}``.

        Raises:
            InvalidData: two columns have one name but for capitals, or a row has none.
        """
        if not answers and not self._passing:
            if keep.any():
                msg = "records came back without a single field; return at least one, or None to drop a record"
                raise InvalidData(msg)
            return {}
        misfits = {row: f"`{each.name}` {why}" for each in answers for row, why in each.misfits.items()}
        chunk = self._register(keep, answers)
        natural = columns(self._step.connection, chunk)
        joined = f"(({part.sql}) s positional join {quote(chunk)} c)"
        values = {each.name: _value(each, place) for place, each in enumerate(answers)}
        before = dict(self._types)
        for place, each in enumerate(answers):
            kind = self._step.columns[each.name] if each.array is None else natural[f"value {place}"]
            if each.array is not None and each.array.null_count == len(each.array):
                kind = record_types.UNTYPED
            misfits |= self._settle(each.name, kind, values[each.name], joined)
        if before != self._types or not self._segments:
            self._begin()
        without = f" and {_ROW} not in ({', '.join(map(str, misfits))})" if misfits else ""
        self._insert(values, f"{joined} where {_KEEP}{without}")
        self._step.connection.unregister(chunk)
        return misfits

    @property
    def untouched(self) -> dict[str, str]:
        """Columns that are the same in every row, ``{output: input}``."""
        return {name: name for name in self._types if name in self._step.columns and name not in self._changed}

    @property
    def cursor(self) -> str | None:
        """The column of the output that carries the cursor."""
        cursor = self._step.cursor
        return cursor if cursor is None or cursor in self.untouched else CURSOR_COLUMN

    def relation(self) -> str:
        """The view over all rows; the input's columns, if there was no row to tell otherwise."""
        if not self._segments:
            return self._step.view(f"select * from {quote(self._step.source)} where false")
        shadowed = self._shadowed is not None and self.cursor == CURSOR_COLUMN
        wanted = [*self._ordered(), *([CURSOR_COLUMN] if shadowed else [])]
        return self._step.view(" union all ".join(self._part(segment, wanted) for segment in self._segments))

    def _part(self, segment: str, wanted: list[str]) -> str:
        have = columns(self._step.connection, segment)
        picked = []
        for name in wanted:
            kind = record_types.physical(self._types[name]) if name in self._types else have[name]
            value = quote(name) if name in have else "null"
            picked.append(f"cast({value} as {kind}) as {quote(name)}" if have.get(name) != kind else quote(name))
        return f"select {', '.join(picked)} from {quote(segment)}"

    def _ordered(self) -> list[str]:
        """Columns in the order in which they came in, then new ones."""
        known = [name for name in self._step.columns if name in self._types]
        return [*known, *(name for name in self._types if name not in self._step.columns)]

    def _register(self, keep: np.ndarray[Any, Any], answers: Sequence[Answered]) -> str:
        import numpy as np
        import pyarrow as pa

        arrays: dict[str, Any] = {_KEEP: keep, _ROW: np.arange(len(keep))}
        arrays |= {f"value {place}": each.array for place, each in enumerate(answers) if each.array is not None}
        chunk = unused_name("records")
        self._step.connection.register(chunk, pa.table(arrays))
        return chunk

    def _settle(self, name: str, natural: str, value: str, joined: str) -> dict[int, str]:
        """Make the column's type one that holds the values; those that none holds are misfits."""
        self._check_name(name)
        if value.startswith("c."):
            self._changed.add(name)
        known = self._types.get(name, record_types.UNTYPED)
        wanted = [known] if known != record_types.UNTYPED else self._wanted(name, natural)
        misfits: list[int] = []
        for kind in wanted:
            misfits = [] if natural == record_types.UNTYPED else self._misfits(value, natural, kind, joined)
            if not misfits:
                self._types[name] = kind
                return {}
        wider = record_types.grown(self._step.connection, known, natural, name, self._holding(name))
        if wider is not None:
            self._types[name] = wider
            return {}
        reason = f"`{name}` has a value of type {natural} that does not fit {known}, the type of records before"
        return dict.fromkeys(misfits, reason)

    def _wanted(self, name: str, natural: str) -> list[str]:
        """The types to try for a column that has none yet, the best first; the last one always fits."""
        wanted = [self._step.columns.get(name), record_types.roomy(natural), natural]
        if name in self._changed:
            wanted.insert(0, self._expected.get(name))
        return [kind for kind in wanted if kind is not None]

    def _misfits(self, value: str, natural: str, kind: str, joined: str) -> list[int]:
        import duckdb

        condition = record_types.misfit(self._step.connection, value, natural, kind)
        if condition is None:
            return []
        try:
            return self._rows(condition, joined)
        except duckdb.BinderException:  # structs that have no field in common
            return self._rows(f"{value} is not null", joined)

    def _rows(self, condition: str, joined: str) -> list[int]:
        found = self._step.connection.execute(f"select {_ROW} from {joined} where {_KEEP} and ({condition})").fetchall()
        return [int(row[0]) for row in found]

    def _check_name(self, name: str) -> None:
        twin = next((each for each in self._types if each != name and each.casefold() == name.casefold()), None)
        if twin is not None:
            msg = f"records have `{twin}` and `{name}`, which SQL takes for one column. Rename one"
            raise InvalidData(msg)

    def _holding(self, name: str) -> list[str]:
        return [segment for segment in self._segments if name in columns(self._step.connection, segment)]

    def _begin(self) -> None:
        picked = [f"cast(null as {record_types.physical(kind)}) as {quote(name)}" for name, kind in self._types.items()]
        if self._shadowed is not None:
            picked.append(f"cast(null as {self._step.columns[self._shadowed]}) as {quote(CURSOR_COLUMN)}")
        self._segments.append(self._step.table(f"select {', '.join(picked)} where false"))

    def _insert(self, values: Mapping[str, str], rows: str) -> None:
        picked = []
        for name, kind in self._types.items():
            value = f"s.{quote(name)}" if name in self._passing else values.get(name, "null")
            picked.append(f"cast({value} as {record_types.physical(kind)})")
        if self._shadowed is not None:
            picked.append(f"s.{quote(self._shadowed)}")
        self._step.connection.execute(f"insert into {quote(self._segments[-1])} select {', '.join(picked)} from {rows}")


def _value(answer: Answered, place: int) -> str:
    return f"s.{quote(answer.name)}" if answer.array is None else f"c.{quote(f'value {place}')}"


def _duck_types(step: Step) -> dict[str, str]:
    assert step.expected is not None  # noqa: S101 - the caller has looked
    name = unused_name("expected")
    step.connection.register(name, step.expected.empty_table())
    try:
        return columns(step.connection, name)
    finally:
        step.connection.unregister(name)

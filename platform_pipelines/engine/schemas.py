"""One schema for batches that are loaded together: types that hold the values of all of them exactly."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from platform_pipelines.errors import SchemaDrift
from platform_pipelines.quality import lattice

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa


def joined(earlier: pa.Schema, later: pa.Schema) -> pa.Schema | None:
    """The columns of both, those of ``earlier`` first; None where a column has no type that holds both exactly.

    Metadata is that of the later field, unless only the earlier one has the type that is used.
    """
    import pyarrow as pa

    fields = []
    for field in earlier:
        other = later.field(field.name) if field.name in later.names else field
        kind = lattice.join(field.type, other.type)
        if kind is None:
            return None
        source = other if lattice.same(other.type, kind) else field
        fields.append(source.with_type(kind).with_nullable(nullable=True))
    return pa.schema([*fields, *(field for field in later if field.name not in earlier.names)])


def unified(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """One schema for all, oldest first; an empty one for none.

    Raises:
        SchemaDrift: a column changed to a type that has none in common with the one before.
    """
    import pyarrow as pa

    def both(earlier: pa.Schema, later: pa.Schema) -> pa.Schema:
        found = joined(earlier, later)
        if found is None:
            changed = [
                f for f in earlier if f.name in later.names and lattice.join(f.type, later.field(f.name).type) is None
            ]
            listed = ", ".join(f"`{f.name}` {f.type} → {later.field(f.name).type}" for f in changed)
            msg = (
                f"Batches that belong together differ in the type of a column: {listed}; no type holds both exactly. "
                "Convert it in a `map` transform, or read everything anew with `pipelines run NAME --full-refresh`."
            )
            raise SchemaDrift(msg)
        return found

    found = list(schemas)
    return reduce(both, found) if found else pa.schema([])

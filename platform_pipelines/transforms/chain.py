"""The transforms of a pipeline, one after the other, over one batch.

Where the SQL of a step can be a view it is one, so the batch is computed in one
pass when somebody reads the last relation; each step's rows are counted, and the
columns whose computation may fail are computed once, while the step is built, so
that a failure is that step's failure. Reading and writing batches is left to the
engine. NULL semantics: NULL stays NULL in every kind; see each kind's module.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from platform_pipelines.duck import quote
from platform_pipelines.errors import FatalError, InvalidData, PipelinesError, SpecError
from platform_pipelines.model import TransformOutcome
from platform_pipelines.relations import columns, count
from platform_pipelines.transforms import aggregate, filter, function, join, map, mask, sql  # noqa: A004 - kinds bear their YAML names
from platform_pipelines.transforms.step import Built, Kind, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from platform_pipelines.relations import Lookup
    from platform_pipelines.spec.transform import TransformSpec

KINDS: dict[str, Kind] = {
    "map": map,
    "filter": filter,
    "sql": sql,
    "join": join,
    "aggregate": aggregate,
    "mask": mask,
    "function": function,
}


@dataclass(frozen=True, slots=True)
class Rejects:
    """Rows that one transform could not convert.

    Attributes:
        relation: the rows as they came into that transform, with the columns
            ``_pipelines_rule`` (``transform:LABEL``), ``_pipelines_rules`` (list)
            and ``_pipelines_reason``.
        position: of the transform, counted from 0.
        rows: how many.
    """

    relation: str
    position: int
    rows: int


@dataclass(frozen=True, slots=True)
class Transformed:
    """A batch after its transforms.

    Attributes:
        relation: the view or table of the connection that holds the rows.
        rows: how many.
        outcomes: one for each transform, in order.
        rejects: rows that could not be converted, by transform.
        cursor: the column that orders versions of a row; None where it was lost.
        origins: columns unchanged since the source, ``{output: source column}``.
    """

    relation: str
    rows: int
    outcomes: tuple[TransformOutcome, ...]
    rejects: tuple[Rejects, ...]
    cursor: str | None
    origins: Mapping[str, str]


def check(specs: Sequence[TransformSpec], file: str | None = None) -> None:
    """Refuse transforms that can never work, without data.

    Raises:
        SpecError: with file and line.
    """
    for spec in specs:
        try:
            _kind(spec).check(spec.body)
        except SpecError as error:
            raise _located(spec, file, error) from error


def apply(  # noqa: PLR0913 - one call, the rest by name
    connection: duckdb.DuckDBPyConnection,
    source_view: str,
    specs: Sequence[TransformSpec],
    *,
    cursor: str | None,
    lookup: Lookup,
    file: str | None = None,
) -> Transformed:
    """Build the relation that holds a batch after its transforms.

    Args:
        connection: an embedded DuckDB; gets temporary views and tables that live
            as long as it.
        source_view: the landed rows. Read several times, so it must yield the
            same rows each time.
        specs: the transforms, in order.
        cursor: the cursor column of the source.
        lookup: reads the tables that joins refer to.
        file: the pipeline's YAML file, for messages.

    Raises:
        SpecError: a required transform can never work.
        InvalidData: a required transform failed on these rows.
    """
    rows = count(connection, source_view)
    known = columns(connection, source_view)
    cursor = cursor if cursor in known else None
    state = Transformed(source_view, rows, (), (), cursor, {name: name for name in known})
    chain = _Chain(connection, lookup, file)
    for position, spec in enumerate(specs):
        state = chain.advance(state, spec, position)
    return state


@dataclass(frozen=True, slots=True)
class _Chain:
    connection: duckdb.DuckDBPyConnection
    lookup: Lookup
    file: str | None

    def advance(self, state: Transformed, spec: TransformSpec, position: int) -> Transformed:
        """The state after one more transform, or after skipping it."""
        started = time.perf_counter()
        try:
            after = self._run(state, spec, position)
        except FatalError:
            raise
        except PipelinesError as error:
            if spec.required:
                raise
            after = _skipped(state, spec, str(error))
        outcome = replace(after.outcomes[-1], seconds=time.perf_counter() - started)
        return replace(after, outcomes=(*state.outcomes, outcome))

    def _run(self, state: Transformed, spec: TransformSpec, position: int) -> Transformed:
        import duckdb

        known = columns(self.connection, state.relation)
        step = Step(self.connection, spec.body, spec.label, state.relation, known, state.cursor, self.lookup)
        try:
            built = _kind(spec).build(step)
            rejected = count(self.connection, built.rejects) if built.rejects else 0
            rows = state.rows if built.same_rows else _prove(self.connection, built)
        except SpecError as error:
            raise _located(spec, self.file, error) from error
        except (InvalidData, duckdb.Error) as error:
            raise _failed(spec, self.file, error) from error
        rejects = (Rejects(built.rejects, position, rejected),) if built.rejects and rejected else ()
        origins = {out: state.origins[name] for out, name in built.origins.items() if name in state.origins}
        outcome = TransformOutcome(spec.label, spec.kind, state.rows, rows, 0.0)
        return Transformed(built.relation, rows, (outcome,), state.rejects + rejects, built.cursor, origins)


def _prove(connection: duckdb.DuckDBPyConnection, built: Built) -> int:
    """Rows out; computes what may fail, so that it fails here and not in a later pass."""
    forced = "".join(f", bit_xor(hash({quote(name)}))" for name in built.computed)
    row = connection.execute(f"select count(*){forced} from {quote(built.relation)}").fetchone()
    return int(row[0]) if row else 0


def _skipped(state: Transformed, spec: TransformSpec, error: str) -> Transformed:
    return replace(state, outcomes=(TransformOutcome(spec.label, spec.kind, state.rows, state.rows, 0.0, error),))


def _kind(spec: TransformSpec) -> Kind:
    if spec.kind in KINDS:
        return KINDS[spec.kind]
    msg = (
        f"Transforms of kind `{spec.kind}` cannot run yet: the isolated Python is a later capability. "
        "Use `function`, `map` or `sql`."
    )
    raise SpecError(msg)


def _located(spec: TransformSpec, file: str | None, error: SpecError) -> SpecError:
    return SpecError(f"Transform `{spec.label}` ({spec.kind}): {error.message}", file=file, line=spec.line)


def _failed(spec: TransformSpec, file: str | None, error: Exception) -> InvalidData:
    place = f", {file}:{spec.line}" if file and spec.line else f", line {spec.line}" if spec.line else ""
    return InvalidData(
        f"Transform `{spec.label}` ({spec.kind}{place}) failed: {error} "
        "Mend the data or the transform, or set `required: false` to go on without it."
    )

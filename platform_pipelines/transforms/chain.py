"""The transforms of a pipeline, one after the other, over one batch.

Where the SQL of a step can be a view it is one, so the batch is computed in one
pass when somebody reads the last relation; each step's rows are counted, and the
columns whose computation may fail are computed once, while the step is built, so
that a failure is that step's failure. Reading and writing batches is left to the
engine. NULL semantics: NULL stays NULL in every kind; see each kind's module.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import FatalError, InvalidData, PipelinesError, SecretError, SpecError
from platform_pipelines.outcomes import TransformOutcome
from platform_pipelines.relations import columns, count
from platform_pipelines.spec import secrets
from platform_pipelines.transforms.passed import Passed
from platform_pipelines.transforms.step import Built, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.relations import Lookup
    from platform_pipelines.spec.transform import TransformKind, TransformSpec
    from platform_pipelines.transforms.step import Kind


@dataclass(frozen=True, slots=True)
class Rejects:
    """Rows that one transform could not convert.

    Attributes:
        relation: the rows as they came into that transform, with the columns
            ``_pipelines_rule`` (``transform:LABEL``), ``_pipelines_rules`` (list)
            and ``_pipelines_reason``.
        rows: how many.
        passed: the transforms that they have behind them.
        origins: columns unchanged since the source, ``{column: source column}``.
    """

    relation: str
    rows: int
    passed: tuple[Passed, ...]
    origins: Mapping[str, str]


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
        passed: the transforms that the rows have behind them.
    """

    relation: str
    rows: int
    outcomes: tuple[TransformOutcome, ...]
    rejects: tuple[Rejects, ...]
    cursor: str | None
    origins: Mapping[str, str]
    passed: tuple[Passed, ...] = ()


def kind_of(name: TransformKind) -> Kind:
    """What a kind does: its module, which bears its YAML name and is imported when it is used."""
    found: Any = importlib.import_module(f"platform_pipelines.transforms.{name}")
    return found  # type: ignore[no-any-return]


def check(specs: Sequence[TransformSpec], file: str | None = None) -> None:
    """Refuse transforms that can never work, without data.

    Raises:
        SpecError: with file and line.
    """
    for spec in specs:
        try:
            kind_of(spec.kind).check(spec.body)
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
    expected: pa.Schema | None = None,
    passed: tuple[Passed, ...] = (),
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
        expected: the schema that these transforms gave last time.
        passed: transforms that the rows have behind them already.

    Raises:
        SpecError: a required transform can never work.
        InvalidData: a required transform failed on these rows.
    """
    rows = count(connection, source_view)
    known = columns(connection, source_view)
    cursor = cursor if cursor in known else None
    state = Transformed(source_view, rows, (), (), cursor, {name: name for name in known}, passed)
    chain = _Chain(connection, lookup, file, expected)
    for spec in specs:
        state = chain.advance(state, spec)
    return state


@dataclass(frozen=True, slots=True)
class _Chain:
    connection: duckdb.DuckDBPyConnection
    lookup: Lookup
    file: str | None
    expected: pa.Schema | None

    def advance(self, state: Transformed, spec: TransformSpec) -> Transformed:
        """The state after one more transform, or after skipping it."""
        started = time.perf_counter()
        try:
            after = self._run(state, spec)
        except FatalError:
            raise
        except PipelinesError as error:
            if spec.required:
                raise
            after = _skipped(state, spec, secrets.mask(str(error)))
        outcome = replace(after.outcomes[-1], seconds=time.perf_counter() - started)
        return replace(after, outcomes=(*state.outcomes, outcome), passed=(*state.passed, Passed.of(spec)))

    def _run(self, state: Transformed, spec: TransformSpec) -> Transformed:
        import duckdb

        known = columns(self.connection, state.relation)
        step = Step(
            self.connection, spec.body, spec.label, state.relation, known, state.cursor, self.lookup, spec.unmapped
        )
        try:
            built = kind_of(spec.kind).build(replace(step, expected=self.expected))
            rejected = count(self.connection, built.rejects) if built.rejects else 0
            rows = state.rows if built.same_rows else _prove(self.connection, built)
        except SpecError as error:
            raise _located(spec, self.file, error) from error
        except (InvalidData, duckdb.Error) as error:
            raise _failed(spec, self.file, error) from error
        rejects: tuple[Rejects, ...] = ()
        if built.rejects and rejected:
            rejects = (Rejects(built.rejects, rejected, state.passed, state.origins),)
        origins = {out: state.origins[name] for out, name in built.origins.items() if name in state.origins}
        outcome = _outcome(spec, state.rows, rows, rejected, built)
        return Transformed(built.relation, rows, (outcome,), state.rejects + rejects, built.cursor, origins)


def _outcome(spec: TransformSpec, before: int, after: int, rejected: int, built: Built) -> TransformOutcome:
    kept = before - rejected
    dropped = max(kept - after, 0) if built.dropped is None else built.dropped
    added = after - (kept - dropped)
    return TransformOutcome(
        spec.label, spec.kind, before, after, 0.0, dropped=dropped, added=added, rejected=rejected, note=built.note
    )


def _prove(connection: duckdb.DuckDBPyConnection, built: Built) -> int:
    """Rows out; computes what may fail, so that it fails here and not in a later pass."""
    forced = "".join(f", bit_xor(hash({quote(name)}))" for name in built.computed)
    row = connection.execute(f"select count(*){forced} from {quote(built.relation)}").fetchone()
    return int(row[0]) if row else 0


def _skipped(state: Transformed, spec: TransformSpec, error: str) -> Transformed:
    outcome = TransformOutcome(spec.label, spec.kind, state.rows, state.rows, 0.0, error, skipped=1)
    return replace(state, outcomes=(outcome,))


def _located(spec: TransformSpec, file: str | None, error: SpecError) -> SpecError:
    kind = SecretError if isinstance(error, SecretError) else SpecError
    return kind(f"Transform `{spec.label}` ({spec.kind}): {error.message}", file=file, line=spec.line, path=error.path)


def _failed(spec: TransformSpec, file: str | None, error: Exception) -> InvalidData:
    place = f", {file}:{spec.line}" if file and spec.line else f", line {spec.line}" if spec.line else ""
    return InvalidData(
        f"Transform `{spec.label}` ({spec.kind}{place}) failed: {error} "
        "Mend the data or the transform, or set `required: false` to go on without it."
    )

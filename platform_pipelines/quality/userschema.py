"""A user's own pandera schema (``quality.schema: module:Name``) as tests of rows.

Each chunk is validated lazily on Arrow-backed pandas with an index of our own;
failing rows are collected as masks, one for each check, with the ids
``schema:COLUMN:CHECK`` and, for checks of the whole frame, ``schema:CHECK``.
The schema judges and never changes data: what it coerces or parses is seen by
its own checks only. A failure that pandera cannot pin on rows (a missing column,
a wrong type, a check that yields one verdict) fails the batch. Checks of the
whole frame see one chunk (131,072 rows) at a time; uniqueness is taken out of the
schema and judged over the whole batch by ``duplicates``.
NULL semantics are pandera's: NULL fails a column that is not nullable and passes
checks unless they say ``ignore_na=False``; for uniqueness NULLs are distinct.
"""

from __future__ import annotations

import copy
import functools
import warnings
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import SpecError
from platform_pipelines.outcomes import RuleOutcome
from platform_pipelines.quality.frames import to_frame
from platform_pipelines.quality.rowtest import RowTest, fixed_reasons, unique_reasons, value_reasons
from platform_pipelines.quality.words import mask_of
from platform_pipelines.userobject import load_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from platform_pipelines.quality.words import Mask

_PURPOSE = "`quality.schema`"


class UserSchema:
    """Tests all checks of one schema; see :class:`Tester`."""

    def __init__(self, schema: Any, path: str, order: int) -> None:  # noqa: ANN401 - pandera is not typed
        self._schema = copy.deepcopy(schema)
        self._path = path
        self.order = order
        self.uniques = self._take_uniques()
        self._tests: dict[tuple[str | None, str], RowTest] = {}
        self._batch: dict[tuple[str | None, str], str] = {}
        self._rest = self._test("schema", "error", f"rows must fit {path}")
        self._list_checks()
        self._adapted = False
        self._schema.index = None
        self._schema.drop_invalid_rows = False

    @classmethod
    def load(cls, path: str, order: int) -> UserSchema:
        """Import a ``DataFrameSchema`` or a ``DataFrameModel``.

        Raises:
            SpecError: it cannot be imported or is neither.
        """
        import pandera.pandas as pandera

        found = load_object(path, _PURPOSE)
        if isinstance(found, type) and issubclass(found, pandera.DataFrameModel):
            found = found.to_schema()
        if not isinstance(found, pandera.DataFrameSchema):
            msg = f"{_PURPOSE} names {path!r}, which is no pandera DataFrameSchema or DataFrameModel."
            raise SpecError(msg)
        return cls(found, path, order)

    @property
    def tests(self) -> Sequence[RowTest]:
        """One test for each check, and one for rows that fail otherwise."""
        return [*self._tests.values(), self._rest]

    @property
    def extra(self) -> Sequence[str]:
        """Nothing."""
        return ()

    @property
    def suspects(self) -> None:
        """Only pandera can say."""

    def failing(self, rows: pa.RecordBatch, extra: pa.RecordBatch) -> list[Mask | None]:
        """The mask of failing rows of each check."""
        del extra
        cases = self._cases(rows)
        failing: dict[str, set[int]] = {}
        for column, check, index in cases:
            test = self._tests.get((column, check)) or self._tests.get((None, check)) or self._rest
            failing.setdefault(test.id, set()).add(index)
        found = [failing.get(test.id) for test in self.tests]
        return [mask_of(rows.num_rows, places) if places else None for places in found]

    def whole_batch(self) -> list[RuleOutcome]:
        """The failures that could not be pinned on rows, of all chunks seen."""
        return [
            RuleOutcome(_id(column, check), "schema_batch", "error", 1, 1, detail)
            for (column, check), detail in self._batch.items()
        ]

    def _cases(self, rows: pa.RecordBatch) -> list[tuple[str | None, str, int]]:
        """``(column, check, row)`` of each failure in one chunk."""
        import pandera.errors
        import pyarrow as pa

        frame = to_frame(pa.Table.from_batches([rows]))
        self._adapt(rows.schema)
        try:
            with warnings.catch_warnings():
                # pandera joins its reports by a call that pandas announces to change; nothing a user could mend
                warnings.filterwarnings("ignore", "The behavior of (array|DataFrame) concatenation", FutureWarning)
                self._schema.validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as error:
            found = error.failure_cases
        else:
            return []
        cases = []
        for row in found.itertuples():
            column = str(row.column) if row.schema_context == "Column" else None
            if row.index is None or row.index != row.index:
                detail = f"{row.check} failed for the whole batch: {row.failure_case}"
                # For a column that is missing or not wanted, the failing "value" is the column's name.
                named = row.failure_case if str(row.check).startswith("column_in_") else row.column
                self._batch.setdefault((_text(named), str(row.check)), detail)
            else:
                cases.append((column, str(row.check), int(row.index)))
        return cases

    def _take_uniques(self) -> list[tuple[RowTest, tuple[str, ...]]]:
        """Remove uniqueness from the schema and return it as tests of our own."""
        sets = [(name,) for name, column in self._schema.columns.items() if column.unique]
        if self._schema.unique:
            declared = self._schema.unique
            sets.append((declared,) if isinstance(declared, str) else tuple(declared))
        for column in self._schema.columns.values():
            column.unique = False
        self._schema.unique = None
        return [(self._unique_test(fields), fields) for fields in sets]

    def _unique_test(self, fields: tuple[str, ...]) -> RowTest:
        statement = f"{', '.join(fields)} must occur once"
        return RowTest(
            self.order, _id(",".join(fields), "unique"), "schema", "error", statement, unique_reasons(fields)
        )

    def _list_checks(self) -> None:
        for name, column in self._schema.columns.items():
            if not column.nullable:
                self._add(name, "not_nullable", "error")
            for check in column.checks:
                _settle(check)
                self._add(name, _label(check), _severity(check))
        for check in self._schema.checks:
            _settle(check)
            self._add(None, _label(check), _severity(check))

    def _add(self, column: str | None, check: str, severity: Any) -> None:  # noqa: ANN401 - a Severity
        statement = f"{column}: {check}" if column else check
        reasons = value_reasons(column, f"fails {check}") if column else fixed_reasons(f"fails {check}")
        test = RowTest(self.order, _id(column, check), "schema", severity, f"{statement} must hold", reasons)
        self._tests[column, check] = test

    def _test(self, test_id: str, severity: Any, statement: str) -> RowTest:  # noqa: ANN401 - a Severity
        return RowTest(self.order, test_id, "schema", severity, statement, fixed_reasons(f"does not fit {self._path}"))

    def _adapt(self, schema: pa.Schema) -> None:
        """Accept Arrow's types where the schema asks for numpy's or pandas' type of the same kind."""
        if self._adapted:
            return
        self._adapted = True
        for name, column in self._schema.columns.items():
            if name in schema.names and not column.coerce and _same_kind(column.dtype, schema.field(name).type):
                column.dtype = None


def _same_kind(declared: Any, kind: pa.DataType) -> bool:  # noqa: ANN401 - a pandera type
    import pandera.dtypes as known
    import pyarrow.types as t

    if declared is None:
        return False
    pairs = (
        (known.is_int, t.is_integer),
        (known.is_float, t.is_floating),
        (known.is_string, lambda given: t.is_string(given) or t.is_large_string(given)),
        (known.is_bool, t.is_boolean),
        (known.is_datetime, t.is_timestamp),
    )
    return any(asked(declared) and given(kind) for asked, given in pairs)


def _label(check: Any) -> str:  # noqa: ANN401 - pandera is not typed
    """The name under which pandera reports a check's failures."""
    return str(check.error or check.name)


def _settle(check: Any) -> None:  # noqa: ANN401 - pandera is not typed
    """Let a verdict of NULL pass, or fail with ``ignore_na=False``; pandera knows true and false only, and stumbles.

    Comparing columns that hold NULL yields such verdicts. pandera itself drops NULL
    before a check of one column, but not before one of the whole frame.
    """
    judge, passes = check._check_fn, bool(check.ignore_na)  # noqa: SLF001 - a Check has no other way to its function

    @functools.wraps(judge, assigned=("__name__", "__doc__"))
    def settled(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the check's own
        return _without_null(judge(*args, **kwargs), passes=passes)

    check._check_fn = settled  # noqa: SLF001 - likewise


def _without_null(verdict: Any, *, passes: bool) -> Any:  # noqa: ANN401 - what a check returns
    import pandas as pd

    if isinstance(verdict, pd.DataFrame):
        return verdict.apply(_without_null, passes=passes)
    if isinstance(verdict, pd.Series) and pd.api.types.is_bool_dtype(verdict.dtype) and verdict.hasnans:
        return verdict.fillna(passes)
    return verdict


def _severity(check: Any) -> str:  # noqa: ANN401 - pandera is not typed
    """``raise_warning`` means flag; the check itself must then report like any other."""
    warns = bool(check.raise_warning)
    check.raise_warning = False
    check.n_failure_cases = None
    return "warning" if warns else "error"


def _id(column: str | None, check: str) -> str:
    return f"schema:{column}:{check}" if column else f"schema:{check}"


def _text(value: Any) -> str | None:  # noqa: ANN401 - a cell of pandera's report
    return str(value) if isinstance(value, str) else None

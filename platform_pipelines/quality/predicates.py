"""Row rules as DuckDB expressions: one pass over the rows, one bit for each rule.

The expressions are true where a row *fails* and never NULL. ``required`` fails
on NULL; an empty text is a value. Every other rule passes NULL. NaN is no NULL:
it fails every range.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Literal

from platform_pipelines import sqlguard
from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.kernels import call
from platform_pipelines.quality import values
from platform_pipelines.quality.heldvalues import held_values
from platform_pipelines.quality.patterns import to_re2
from platform_pipelines.quality.rowtest import RowTest, fixed_reasons, null_reasons, value_reasons
from platform_pipelines.relations import columns as columns_of
from platform_pipelines.relations import comparable, family, stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.quality.words import Mask
    from platform_pipelines.relations import Holding, Holdings, Lookup
    from platform_pipelines.spec.rules import Accepted, Condition, ForeignKey, Range, Regex, Required, RuleSpec

#: rules of one mask column; a bit each of an unsigned 64-bit integer
_BITS = 60


@dataclass(frozen=True, slots=True)
class Scope:
    """What rules are compiled against.

    Attributes:
        connection: the embedded DuckDB.
        columns: of the judged relation, with their types.
        lookup: reads other tables.
        holdings: looks into the pipeline's destinations; None where no rule does.
        relation: the judged relation.
    """

    connection: duckdb.DuckDBPyConnection
    columns: Mapping[str, str]
    lookup: Lookup
    holdings: Holdings | None = None
    relation: str = ""

    def holding(self, destination: str, columns: tuple[str, ...]) -> Holding:
        """What a destination will hold."""
        assert self.holdings is not None  # noqa: S101 - whoever judges such rules brings it
        return self.holdings(destination, columns)


@dataclass(frozen=True, slots=True)
class Predicate:
    """A row rule as SQL.

    Attributes:
        test: the rule.
        sql: true where a row fails, never NULL.
    """

    test: RowTest
    sql: str


@dataclass(frozen=True, slots=True)
class Predicates:
    """Tests the rules that are DuckDB expressions; see :class:`Tester`."""

    items: tuple[Predicate, ...]

    @property
    def tests(self) -> Sequence[RowTest]:
        """The tests it runs."""
        return [item.test for item in self.items]

    @property
    def extra(self) -> Sequence[str]:
        """The mask columns."""
        masks = []
        for start in range(0, len(self.items), _BITS):
            part = self.items[start : start + _BITS]
            bits = " | ".join(
                f"(case when {item.sql} then {1 << bit} else 0 end)::ubigint" for bit, item in enumerate(part)
            )
            masks.append(f"{bits} as {quote(_mask_name(start // _BITS))}")
        return masks

    @property
    def suspects(self) -> str:
        """Any of the rules fails."""
        return " or ".join(item.sql for item in self.items)

    def failing(self, rows: pa.RecordBatch, extra: pa.RecordBatch) -> list[Mask | None]:
        """For each test the mask of failing rows, or None where none fails."""
        import pyarrow as pa

        del rows
        found: list[Mask | None] = []
        for start in range(0, len(self.items), _BITS):
            bits = extra.column(_mask_name(start // _BITS))
            seen = reduce(or_, call("unique", bits).to_pylist(), 0)
            for bit in range(min(_BITS, len(self.items) - start)):
                hit = pa.scalar(1 << bit, pa.uint64())
                found.append(call("equal", call("bit_wise_and", bits, hit), hit) if seen & (1 << bit) else None)
        return found


def compile_rule(scope: Scope, order: int, rule: RuleSpec) -> Predicate | None:
    """The rule as SQL; None where DuckDB cannot say it (unique, some patterns, whole-batch rules).

    Raises:
        InvalidData: the rule cannot judge a column of this type.
        SpecError: the rule's SQL or bound can never work.
        ConnectError: the referenced table cannot be reached.
    """
    build = _BUILDERS.get(rule.type)
    return build(scope, order, rule) if build else None


def field_type(scope: Scope, rule: RuleSpec, field: str) -> str:
    """The DuckDB type of a rule's field; allowed to be anything but nested for rules that compare.

    Raises:
        InvalidData: the values of the column cannot be compared.
    """
    kind = scope.columns[field]
    if family(kind) in {"nested", "other"}:
        msg = f"Rule `{rule.id}` ({rule.type}) cannot judge `{field}` of type {kind}. Convert it by `map` first."
        raise InvalidData(msg)
    return kind


def _required(scope: Scope, order: int, rule: Required) -> Predicate:
    del scope
    sql = " or ".join(f"{quote(field)} is null" for field in rule.fields)
    statement = f"{', '.join(rule.fields)} must not be NULL"
    return Predicate(
        RowTest(order, rule.id, rule.type, rule.severity, statement, null_reasons(rule.fields)), f"({sql})"
    )


def _regex(scope: Scope, order: int, rule: Regex) -> Predicate | None:
    import duckdb

    field_type(scope, rule, rule.field)
    pattern = to_re2(rule.pattern)
    if pattern is None:
        return None
    try:
        scope.connection.execute(f"select regexp_matches('', {literal(pattern)})")
    except duckdb.Error:
        return None
    name = quote(rule.field)
    return Predicate(
        regex_test(order, rule),
        f"({name} is not null and not regexp_matches(cast({name} as varchar), {literal(pattern)}))",
    )


def regex_test(order: int, rule: Regex) -> RowTest:
    """The words of a regex rule."""
    problem = f"does not match {rule.pattern}"
    statement = f"{rule.field} must match {rule.pattern}"
    return RowTest(order, rule.id, rule.type, rule.severity, statement, value_reasons(rule.field, problem))


def _range(scope: Scope, order: int, rule: Range) -> Predicate:
    declared = field_type(scope, rule, rule.field)
    kind, name = family(declared), quote(rule.field)
    tests = []
    number = kind == "text" and not isinstance(rule.min if rule.min is not None else rule.max, str)
    value = f"try_cast(trim({name}, {literal(values.SPACE)}) as double)" if number else name
    ends: tuple[tuple[Literal["min", "max"], str], ...] = (("min", "<"), ("max", ">"))
    for end, sign in ends:
        if (limit := getattr(rule, end)) is not None:
            tests.append(
                f"{value} {sign} {values.sql(values.bound(rule.id, limit, kind, scale_of(declared), end), kind)}"
            )
    if kind == "float":
        tests.append(f"isnan({name})")
    if number:
        tests = [
            f"not regexp_full_match({name}, {literal(values.NUMBER)})",
            f"not coalesce(isfinite({value}), false)",
            *tests,
        ]
    span = values.shown(rule.min, rule.max)
    statement = f"{rule.field} must be {span}"
    test = RowTest(order, rule.id, rule.type, rule.severity, statement, value_reasons(rule.field, f"is not {span}"))
    return Predicate(test, f"coalesce({name} is not null and ({' or '.join(tests)}), false)")


def scale_of(duck_type: str) -> int:
    """Digits after the point of a decimal type; 0 for any other."""
    return int(duck_type.rstrip(")").rpartition(",")[2]) if duck_type.startswith("DECIMAL") else 0


def _accepted(scope: Scope, order: int, rule: Accepted) -> Predicate:
    declared = field_type(scope, rule, rule.field)
    kind, name = family(declared), quote(rule.field)
    allowed = values.accepted(rule.values, kind, scale_of(declared))
    listed = ", ".join(values.sql(value, kind) for value in allowed)
    inside = f"{name} in ({listed})" if listed else "false"
    shown = ", ".join(values.text_of(value) for value in rule.values)
    reasons = value_reasons(rule.field, f"is not one of {shown[:200]}")
    test = RowTest(order, rule.id, rule.type, rule.severity, f"{rule.field} must be one of {shown}", reasons)
    return Predicate(test, f"({name} is not null and not {inside})")


def _condition(scope: Scope, order: int, rule: Condition) -> Predicate:
    try:
        checked = sqlguard.check_expression(scope.connection, rule.sql)
    except SpecError as error:
        msg = f"Rule `{rule.id}` (condition): {error.message}"
        raise SpecError(msg) from error
    text = " ".join(rule.sql.split())
    test = RowTest(
        order, rule.id, rule.type, rule.severity, f"{text} must hold", fixed_reasons(f"{text}: does not hold")
    )
    return Predicate(test, f"coalesce(not ({checked.sql}), false)")


def _foreign_key(scope: Scope, order: int, rule: ForeignKey) -> Predicate:
    kind = field_type(scope, rule, rule.field)
    target = rule.reference
    name = quote(target.field)
    if target.destination is not None:
        sources = held_values(scope, target.destination, target.field)
        place = f"{target.field} of destination {target.destination} or of the batch"
    else:
        connector, table = target.connector or "", target.table or ""
        sources = [stage(scope.connection, "reference", scope.lookup(connector, table, (target.field,)))]
        place = f"{connector} {table}.{target.field}"
    tests = []
    for staged in sources:
        ours, theirs = comparable(quote(rule.field), kind, name, columns_of(scope.connection, staged)[target.field])
        tests.append(f"{ours} not in (select {theirs} from {quote(staged)} where {name} is not null)")
    reasons = value_reasons(rule.field, f"does not exist in {place}")
    test = RowTest(order, rule.id, rule.type, rule.severity, f"{rule.field} must exist in {place}", reasons)
    return Predicate(test, f"({quote(rule.field)} is not null and {' and '.join(tests) or 'true'})")


def _mask_name(number: int) -> str:
    return f"_pipelines_mask_{number}"


_BUILDERS: dict[str, Callable[..., Predicate | None]] = {
    "required": _required,
    "regex": _regex,
    "range": _range,
    "accepted": _accepted,
    "condition": _condition,
    "foreign_key": _foreign_key,
}

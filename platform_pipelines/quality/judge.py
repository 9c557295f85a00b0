"""Judges a batch by its rules, in one streaming pass over the rows.

Whether the verdict holds the batch is left to ``gate``; where good and bad rows
go is left to the caller's sinks. Memory is bounded by the chunk (131,072 rows),
the keys of duplicates and the values of referenced columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.quality import anomaly, duplicates, loaded, wholebatch
from platform_pipelines.quality.judgement import Judgement, score
from platform_pipelines.quality.patterntest import Pattern
from platform_pipelines.quality.predicates import Predicates, Scope, compile_rule
from platform_pipelines.quality.rowtest import RowTest, unique_reasons
from platform_pipelines.quality.splitting import split
from platform_pipelines.quality.tally import Tally
from platform_pipelines.quality.usercheck import UserCheck
from platform_pipelines.quality.userschema import UserSchema
from platform_pipelines.relations import CHUNK_ROWS, columns, require_columns

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.outcomes import RuleOutcome
    from platform_pipelines.quality.anomaly import History
    from platform_pipelines.quality.rowtest import Tester
    from platform_pipelines.relations import Holdings, Lookup
    from platform_pipelines.spec.quality import QualitySpec
    from platform_pipelines.spec.rules import RuleSpec, Unique


def _unknown(figure: str, window: int) -> Sequence[float]:
    """A history in which nothing happened yet."""
    del figure, window
    return ()


def judge(  # noqa: PLR0913 - one call, the rest by name
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    quality: QualitySpec,
    *,
    cursor: str | None,
    lookup: Lookup,
    now: dt.datetime,
    sink_good: Callable[[pa.RecordBatch], None],
    sink_bad: Callable[[pa.RecordBatch], None],
    holdings: Holdings | None = None,
    history: History = _unknown,
) -> Judgement:
    """Judge every row of a relation and hand it on.

    Args:
        connection: the embedded DuckDB that holds ``relation``; the sinks must
            not use it, for its result is read while they are called.
        relation: a view or table.
        quality: the rules and the user's schema.
        cursor: the column that orders versions of a row; None if there is none.
        lookup: reads the tables that foreign keys refer to.
        now: the time that ``freshness`` compares with, with zone.
        sink_good: gets the rows that failed no rule of severity error.
        sink_bad: gets the others, with ``_pipelines_rule`` (string),
            ``_pipelines_rules`` (list of strings) and ``_pipelines_reason`` (string).
        holdings: looks into the destinations that rules name; None only where none does.
        history: what earlier batches were like, for ``anomaly``.

    Raises:
        InvalidData: a rule names a column that does not exist, or cannot be
            computed for a value.
        SpecError: a rule or schema can never work.
    """
    types = columns(connection, relation)
    plan = _Plan(Scope(connection, types, lookup, holdings, relation), relation, cursor if cursor in types else None)
    for order, rule in enumerate(quality.rules):
        plan.add(order, rule)
    if quality.schema_path:
        plan.add_schema(UserSchema.load(quality.schema_path, order=len(quality.rules)))
    return _Pass(plan, sink_good, sink_bad).run(quality, now, history)


class _Plan:
    """The testers of all rules over one relation."""

    def __init__(self, scope: Scope, relation: str, cursor: str | None) -> None:
        self.scope = scope
        self.relation = relation
        self.cursor = cursor
        self.predicates: list[Any] = []
        self.testers: list[Tester] = []
        #: tests known to pass before the pass
        self.settled: list[RowTest] = []
        self.schema: UserSchema | None = None
        self.checks: dict[str, UserCheck] = {}

    def add(self, order: int, rule: RuleSpec) -> None:
        """Make one rule ready."""
        fields = getattr(rule, "fields", None) or [name for name in [getattr(rule, "field", None)] if name]
        require_columns(fields, self.scope.columns, f"Rule `{rule.id}` ({rule.type})")
        if rule.type == "unique" and rule.scope is not None:
            self.add_scoped(order, rule, rule.scope)
        elif rule.type == "unique":
            self.add_unique(_unique_test(order, rule), rule.fields)
        elif predicate := compile_rule(self.scope, order, rule):
            self.predicates.append(predicate)
        elif rule.type == "regex":
            self.testers.append(Pattern(order, rule))
        elif rule.type == "pandera":
            self.checks[rule.id] = UserCheck.of(order, rule)
            self.testers.append(self.checks[rule.id])

    def add_scoped(self, order: int, rule: Unique, destination: str) -> None:
        """Make one uniqueness ready that holds in a destination too; looks for what is taken at once."""
        holding = self.scope.holding(destination, rule.fields)
        require_columns(holding.key, self.scope.columns, f"The key of destination `{destination}`, which")
        found = loaded.find(self.scope.connection, self.relation, self.cursor, holding, rule=rule, order=order)
        if isinstance(found, RowTest):
            self.settled.append(found)
        else:
            self.testers.append(found)

    def add_unique(self, test: RowTest, fields: tuple[str, ...]) -> None:
        """Make one uniqueness ready; looks for duplicates at once."""
        found = duplicates.find(self.scope.connection, self.relation, fields, self.cursor, test)
        if found is None:
            self.settled.append(test)
        else:
            self.testers.append(found)

    def add_schema(self, schema: UserSchema) -> None:
        """Make the user's schema ready; its uniqueness becomes ours, for pandera sees one chunk at a time."""
        self.schema = schema
        self.testers.append(schema)
        for test, fields in schema.uniques:
            require_columns(fields, self.scope.columns, f"Schema check `{test.id}`")
            self.add_unique(test, fields)

    def all_testers(self) -> list[Tester]:
        """Every tester of the pass."""
        first: list[Tester] = [Predicates(tuple(self.predicates))] if self.predicates else []
        return [*first, *self.testers]

    def sql(self, testers: list[Tester]) -> str:
        """The one query of the pass: the rows, then what the testers want beside them."""
        beside = [item for tester in testers for item in tester.extra]
        return f"select {', '.join(['*', *beside])} from {quote(self.relation)} as input"


class _Pass:
    """The pass over the rows."""

    def __init__(
        self, plan: _Plan, good: Callable[[pa.RecordBatch], None], bad: Callable[[pa.RecordBatch], None]
    ) -> None:
        self._plan = plan
        self._good, self._bad = good, bad
        self._testers = plan.all_testers()
        tests = [test for tester in self._testers for test in tester.tests]
        #: testers first take all that DuckDB can test; the first rule a row failed is the first of the YAML
        self._ranks = sorted(range(len(tests)), key=lambda index: tests[index].order)
        self._tests = [tests[index] for index in self._ranks]
        self._tallies = [Tally(test) for test in self._tests]
        self.rows = self.rejected = self.flagged = 0

    def run(self, quality: QualitySpec, now: dt.datetime, history: History) -> Judgement:
        """Read all rows and return the verdict."""
        import duckdb
        import pyarrow as pa

        width = len(self._plan.scope.columns)
        try:
            reader = self._plan.scope.connection.execute(self._plan.sql(self._testers)).to_arrow_reader(CHUNK_ROWS)
            for chunk in reader:
                self._take(chunk.select(list(range(width))), chunk.select(list(range(width, chunk.num_columns))))
        except (duckdb.Error, pa.ArrowException) as error:
            self._blame(error)
            raise
        schema = pa.schema([reader.schema.field(i) for i in range(width)])
        anomalies = [rule for rule in quality.rules if rule.type == "anomaly"]
        figures = anomaly.measure(self._plan.scope.connection, self._plan.relation, anomalies)
        unusual = anomaly.outcomes(anomalies, figures, history)
        outcomes = self._outcomes(quality, now, {outcome.id: outcome for outcome in unusual})
        good = self.rows - self.rejected
        return Judgement(self.rows, good, self.rejected, self.flagged, outcomes, score(outcomes), schema, figures)

    def _take(self, rows: pa.RecordBatch, extra: pa.RecordBatch) -> None:
        masks = [mask for tester in self._testers for mask in tester.failing(rows, extra)]
        failing = [masks[index] for index in self._ranks]
        for tally, mask in zip(self._tallies, failing, strict=True):
            tally.add(rows, mask)
        done = split(rows, self._tests, failing)
        self.rows += rows.num_rows
        self.flagged += done.flagged
        if done.good.num_rows:
            self._good(done.good)
        if done.bad is not None:
            self.rejected += done.bad.num_rows
            self._bad(done.bad)

    def _outcomes(
        self, quality: QualitySpec, now: dt.datetime, unusual: Mapping[str, RuleOutcome]
    ) -> tuple[RuleOutcome, ...]:
        scope = self._plan.scope
        tallies = [*self._tallies, *(Tally(test) for test in self._plan.settled)]
        found = [(tally.test.order, self._outcome(tally)) for tally in tallies]
        for order, rule in enumerate(quality.rules):
            if rule.id in unusual:
                found.append((order, unusual[rule.id]))
            elif rule.type == "volume":
                found.append((order, wholebatch.volume(rule, self.rows)))
            elif rule.type == "freshness":
                outcome = wholebatch.freshness(rule, scope.connection, self._plan.relation, scope.columns, now)
                found.append((order, outcome))
        if self._plan.schema is not None:
            found += [(self._plan.schema.order, outcome) for outcome in self._plan.schema.whole_batch()]
        return tuple(outcome for _, outcome in sorted(found, key=lambda pair: pair[0]))

    def _outcome(self, tally: Tally) -> RuleOutcome:
        """What a test found; a user's check may also fail on no single row."""
        check = self._plan.checks.get(tally.test.id)
        whole = check.whole_batch() if check is not None else None
        return tally.outcome(self.rows) if whole is None else whole

    def _blame(self, error: Exception) -> None:
        """Raise an error that names the rule which cannot be computed, if it is one."""
        import duckdb

        for predicate in self._plan.predicates:
            query = f"select count(*) from {quote(self._plan.relation)} as input where {predicate.sql}"
            try:
                self._plan.scope.connection.execute(query).fetchall()
            except duckdb.Error as cause:
                msg = (
                    f"Rule `{predicate.test.id}` ({predicate.test.type}) cannot be computed: {cause} "
                    "Mend the rule, or convert the column by `map` first."
                )
                raise InvalidData(msg) from error


def _unique_test(order: int, rule: Unique) -> RowTest:
    statement = f"{', '.join(rule.fields)} must occur once"
    return RowTest(order, rule.id, rule.type, rule.severity, statement, unique_reasons(rule.fields))

"""Judges a batch by its rules, in one streaming pass over the rows.

Whether the verdict holds the batch is left to ``gate``; where good and bad rows
go is left to the caller's sinks. Memory is bounded by the chunk (131,072 rows),
the keys of duplicates and the values of referenced columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.quality import anomaly, wholebatch
from platform_pipelines.quality.judgement import Judgement, score
from platform_pipelines.quality.plan import Plan
from platform_pipelines.quality.predicates import Scope
from platform_pipelines.quality.splitting import passing, split
from platform_pipelines.quality.tally import SAMPLE_ROWS, Tally
from platform_pipelines.quality.userschema import UserSchema
from platform_pipelines.relations import CHUNK_ROWS, columns, count
from platform_pipelines.rowsql import FILE, ROW

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.outcomes import RuleOutcome
    from platform_pipelines.quality.anomaly import History
    from platform_pipelines.relations import Holdings, Lookup
    from platform_pipelines.spec.quality import QualitySpec


@dataclass(frozen=True, slots=True)
class Staying:
    """Good rows that stay in the files they came from.

    Attributes:
        relation: the judged rows and behind their columns those of their places, see ``rowsql.placed``.
        sink: gets the places of the bad rows, in the order in which the sink of bad rows gets them.
    """

    relation: str
    sink: Callable[[pa.RecordBatch], None]


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
    staying: Staying | None = None,
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
        sink_good: gets the rows that failed no rule of severity error; of rows that stay, only some of the first.
        sink_bad: gets the others, with ``_pipelines_rule`` (string),
            ``_pipelines_rules`` (list of strings) and ``_pipelines_reason`` (string).
        staying: given where the good rows stay where they are.
        holdings: looks into the destinations that rules name; None only where none does.
        history: what earlier batches were like, for ``anomaly``.

    Raises:
        InvalidData: a rule names a column that does not exist, or cannot be
            computed for a value.
        SpecError: a rule or schema can never work.
    """
    types = columns(connection, relation)
    plan = Plan(Scope(connection, types, lookup, holdings, relation), relation, cursor if cursor in types else None)
    for order, rule in enumerate(quality.rules):
        plan.add(order, rule)
    if quality.schema_path:
        plan.add_schema(UserSchema.load(quality.schema_path, order=len(quality.rules)))
    return _Pass(plan, sink_good, sink_bad, staying).run(quality, now, history)


class _Pass:
    """The pass over the rows."""

    def __init__(
        self,
        plan: Plan,
        good: Callable[[pa.RecordBatch], None],
        bad: Callable[[pa.RecordBatch], None],
        staying: Staying | None,
    ) -> None:
        self._plan = plan
        self._good, self._bad, self._staying = good, bad, staying
        self._wants_good = True
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
            relation = self._staying.relation if self._staying else self._plan.relation
            suspects = self._suspects()
            query = self._plan.sql(self._testers, relation, suspects, placed=self._staying is not None)
            reader = self._plan.scope.connection.execute(query).to_arrow_reader(CHUNK_ROWS)
            for chunk in reader:
                self._take(chunk.select(list(range(width))), chunk.select(list(range(width, chunk.num_columns))))
            if suspects:
                self._take_others(suspects)
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
        if self._wants_good:
            self._hand_on(passing(rows, done.wrong))
        if done.bad is not None and done.wrong is not None:
            self.rejected += done.bad.num_rows
            self._bad(done.bad)
            if self._staying:
                self._staying.sink(extra.select([FILE, ROW]).filter(done.wrong))

    def _suspects(self) -> str | None:
        """The condition for rows that may fail, where the others may stay unread; None to read all."""
        found = [tester.suspects for tester in self._testers]
        if self._staying is None or None in found:
            return None
        return " or ".join(f"({each})" for each in found) or "false"

    def _take_others(self, suspects: str) -> None:
        """Rows that were not read are good: count them, and show some."""
        connection, relation = self._plan.scope.connection, quote(self._plan.relation)
        self.rows = count(connection, self._plan.relation)
        shown = connection.execute(f"select * from {relation} as input where not ({suspects}) limit {SAMPLE_ROWS}")
        for batch in shown.to_arrow_reader(SAMPLE_ROWS):
            self._hand_on(batch)

    def _hand_on(self, good: pa.RecordBatch) -> None:
        if good.num_rows:
            self._good(good)
            self._wants_good = self._staying is None

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

"""The rules of a pipeline made ready for one relation: testers, and the one query that they need.

Reading the rows, and what becomes of them, is left to ``judge``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.quality import duplicates, loaded
from platform_pipelines.quality.patterntest import Pattern
from platform_pipelines.quality.predicates import Predicates, Scope, compile_rule
from platform_pipelines.quality.rowtest import RowTest, unique_reasons
from platform_pipelines.quality.usercheck import UserCheck
from platform_pipelines.relations import require_columns
from platform_pipelines.rowsql import FILE, ROW

if TYPE_CHECKING:
    from platform_pipelines.quality.rowtest import Tester
    from platform_pipelines.quality.userschema import UserSchema
    from platform_pipelines.spec.rules import RuleSpec, Unique


class Plan:
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

    def sql(self, testers: list[Tester], relation: str, suspects: str | None, *, placed: bool) -> str:
        """The one query of the pass: the rows, all or only suspects, then what the testers want beside them.

        Rows whose places are known come in order. A filter keeps them so, a look into a table does not.
        """
        beside = [item for tester in testers for item in tester.extra]
        only = f" where {suspects}" if suspects else ""
        looks = any("(select " in item for item in beside)
        ordered = f" order by {FILE}, {ROW}" if placed and (suspects or looks) else ""
        return f"select {', '.join(['*', *beside])} from {quote(relation)} as input{only}{ordered}"


def _unique_test(order: int, rule: Unique) -> RowTest:
    statement = f"{', '.join(rule.fields)} must occur once"
    return RowTest(order, rule.id, rule.type, rule.severity, statement, unique_reasons(rule.fields))

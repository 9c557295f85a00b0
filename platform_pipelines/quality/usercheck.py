"""A pandera Check of a user's own as a rule (``type: pandera``, ``check: module:name``).

What pandera reports is read by ``userschema``; here it becomes the verdict of one
rule with an id and a severity of its own. Without a field the check gets frames
of at most 131,072 rows. A verdict that is on no single row fails the batch.
NULL semantics are pandera's: NULL passes unless the check says ``ignore_na=False``.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import SpecError
from platform_pipelines.kernels import call
from platform_pipelines.outcomes import RuleOutcome
from platform_pipelines.quality.rowtest import RowTest, fixed_reasons, value_reasons
from platform_pipelines.quality.userschema import UserSchema
from platform_pipelines.userobject import load_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from platform_pipelines.quality.words import Mask
    from platform_pipelines.spec.rules import Pandera

#: type of the outcome of a check that failed on no single row
BATCH_TYPE = "pandera_batch"


def load_check(rule: Pandera) -> Any:  # noqa: ANN401 - pandera is not typed
    """A copy of the Check that a rule names; a function is made one.

    Raises:
        SpecError: it cannot be imported, or is neither.
    """
    import pandera.pandas as pandera

    purpose = f"`check` of rule `{rule.id}`"
    found = load_object(rule.check, purpose)
    if isinstance(found, pandera.Check):
        return copy.deepcopy(found)
    if isinstance(found, type) or not callable(found):
        msg = (
            f"{purpose} names {rule.check!r}, which is {type(found).__name__}. Name a pandera Check, such as "
            "`is_even = pandera.Check(lambda values: values % 2 == 0)`, or a function of a Series (without `field`: of "
            "a DataFrame) that returns true where rows pass."
        )
        raise SpecError(msg)
    return pandera.Check(found, name=rule.id)


@dataclass(slots=True)
class UserCheck:
    """Tests one rule by its Check; see :class:`Tester`."""

    test: RowTest
    schema: UserSchema

    @classmethod
    def of(cls, order: int, rule: Pandera) -> UserCheck:
        """Make a rule ready."""
        import pandera.pandas as pandera

        check = load_check(rule)
        if rule.field is None:
            schema = pandera.DataFrameSchema(checks=check)
            reasons = fixed_reasons(f"fails {rule.check}")
        else:
            schema = pandera.DataFrameSchema({rule.field: pandera.Column(None, checks=check, nullable=True)})
            reasons = value_reasons(rule.field, f"fails {rule.check}")
        subject = rule.field or "rows"
        test = RowTest(order, rule.id, rule.type, rule.severity, f"{subject} must pass {rule.check}", reasons)
        return cls(test, UserSchema(schema, rule.check, order))

    @property
    def tests(self) -> Sequence[RowTest]:
        """The one test it runs."""
        return [self.test]

    @property
    def extra(self) -> Sequence[str]:
        """Nothing."""
        return ()

    @property
    def suspects(self) -> None:
        """Only pandera can say."""

    def failing(self, rows: pa.RecordBatch, extra: pa.RecordBatch) -> list[Mask | None]:
        """The mask of rows that fail the check, in whatever way."""
        found: Mask | None = None
        for mask in self.schema.failing(rows, extra):
            if mask is not None:
                found = mask if found is None else call("or", found, mask)
        return [found]

    def whole_batch(self) -> RuleOutcome | None:
        """The failure that could not be pinned on rows, if there is one."""
        outcomes = self.schema.whole_batch()
        if not outcomes:
            return None
        test = self.test
        return RuleOutcome(test.id, BATCH_TYPE, test.severity, 1, 1, outcomes[0].detail)

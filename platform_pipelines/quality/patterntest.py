"""The ``regex`` rules that RE2 cannot say, tried by Python's ``re`` on the column's text.

NULL semantics: NULL passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.duck import quote
from platform_pipelines.quality.patterns import search
from platform_pipelines.quality.predicates import regex_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from platform_pipelines.quality.rowtest import RowTest
    from platform_pipelines.quality.words import Mask
    from platform_pipelines.spec.rules import Regex


@dataclass(frozen=True, slots=True)
class Pattern:
    """Tests one regex rule in Python; see :class:`Tester`."""

    order: int
    rule: Regex

    @property
    def tests(self) -> Sequence[RowTest]:
        """The one test it runs."""
        return [regex_test(self.order, self.rule)]

    @property
    def extra(self) -> Sequence[str]:
        """The column as text."""
        return [f"cast({quote(self.rule.field)} as varchar) as {quote(self._name)}"]

    @property
    def suspects(self) -> None:
        """Only Python can say."""

    def failing(self, rows: pa.RecordBatch, extra: pa.RecordBatch) -> list[Mask | None]:
        """The mask of rows whose text does not match."""
        import pyarrow as pa

        del rows
        mask = pa.array(search(self.rule.pattern, extra.column(self._name).to_pylist()), pa.bool_())
        return [mask if mask.true_count else None]

    @property
    def _name(self) -> str:
        return f"_pipelines_text_{self.order}"

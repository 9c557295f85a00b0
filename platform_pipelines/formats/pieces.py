"""Relations of text that DuckDB can read: what the readers hand to ``settle``.

How they come about is left to the readers, what types they get to ``settle``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from platform_pipelines.duck import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_pipelines.formats.inputs import InputFile


@dataclass(frozen=True, slots=True)
class Piece:
    """Files of one shape, as one relation whose columns are text.

    Attributes:
        relation: SQL of it, as it stands after ``from``.
        columns: its columns, in their order.
        files: what it was made of.
        careful: whether it was read record by record and has line numbers.
        kinds: for JSON, where each text begins with a letter for its kind: the kinds
            found by column: s string, n number, b boolean, j object or array,
            J one with numbers too long for a machine type.
    """

    relation: str
    columns: tuple[str, ...]
    files: tuple[InputFile, ...] = ()
    careful: bool = False
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def text(self, column: str) -> str:
        """SQL expression of a column's content."""
        name = quote(column)
        return f"substr({name}, 2)" if self.kinds else name

    def json(self, column: str) -> str:
        """SQL expression of a column's value as JSON text."""
        name = quote(column)
        if not self.kinds:
            return name
        return f"case when {name}[1] = 's' then to_json(substr({name}, 2))::varchar else substr({name}, 2) end"

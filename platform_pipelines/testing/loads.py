"""A feed that is loaded batch by batch, as the engine does it: keeps count of offsets.

What must come of it is left to the suites.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines.model import Feed, Load, Mode, Offset

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.model import Receipt


@dataclass
class Loading:
    """One feed on its way into one table.

    Attributes:
        destination: where it goes.
        mode: how.
        table: the table.
        feed: whose rows.
        epoch: the current epoch.
        sequence: the last batch loaded.
    """

    destination: Any
    mode: Mode = "append"
    table: str = "raw.people"
    feed: Feed = field(default_factory=lambda: Feed("people"))
    epoch: int = 1
    sequence: int = 0

    def load(self, rows: pa.Table, **changes: Any) -> Receipt:  # noqa: ANN401 - fields of Load
        """Load the next batch of the epoch."""
        receipt = self.attempt(rows, **changes)
        self.sequence += 1
        return receipt

    def refresh(self, rows: pa.Table, **changes: Any) -> Receipt:  # noqa: ANN401 - fields of Load
        """Begin a new epoch with its first batch."""
        previous = Offset(self.epoch, self.sequence) if self.sequence else None
        self.epoch, self.sequence = self.epoch + 1, 0
        receipt = self.attempt(rows, fresh=True, previous=previous, **changes)
        self.sequence = 1
        return receipt

    def attempt(self, rows: pa.Table, **changes: Any) -> Receipt:  # noqa: ANN401 - fields of Load
        """Load the next batch without counting it."""
        load = self.next(rows.schema, rows.num_rows, **changes)
        return self.destination.load(load, rows.to_reader())  # type: ignore[no-any-return]

    def next(self, schema: pa.Schema, rows: int, **changes: Any) -> Load:  # noqa: ANN401 - fields of Load
        """The next batch's load."""
        keyed = self.mode in {"merge", "update", "delete"}
        fields: dict[str, Any] = {
            "feed": self.feed,
            "table": self.table,
            "mode": self.mode,
            "schema": schema,
            "offset": Offset(self.epoch, self.sequence + 1),
            "previous": Offset(self.epoch, self.sequence) if self.sequence else None,
            "rows": rows,
            "token": "pt-contract",
            "key": ("id",) if keyed else (),
            "cursor": "version" if self.mode == "merge" and "version" in schema.names else None,
        }
        return Load(**{**fields, **changes})

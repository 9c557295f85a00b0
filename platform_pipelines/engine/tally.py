"""Counts of one landing, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Rows and bytes so far; see ``report.Landed`` for what each count means."""

    batches: int = 0
    rows: int = 0
    read: int = 0
    deduplicated: int = 0
    skipped: int = 0
    rejected: int = 0
    bytes: int = 0

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

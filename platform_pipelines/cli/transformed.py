"""What the transforms of a run did, read from its record: counts, and warnings of those that were skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from platform_pipelines.store.runs import Entry

HEADERS = ("TRANSFORM", "KIND", "IN", "OUT", "DROPPED", "ADDED", "REJECTED", "SECONDS", "NOTE")
_SUMMED = ("rows_in", "rows_out", "dropped", "added", "rejected", "skipped", "seconds")


def transform_rows(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """A row for each transform, summed over the partitions of the run."""
    return [
        (
            each["transform"],
            each["kind"],
            each["rows_in"],
            each["rows_out"],
            each["dropped"],
            each["added"],
            each["rejected"],
            float(each["seconds"]),
            "skipped" if each["skipped"] else each["note"],
        )
        for each in _summed(entries).values()
        if each["rows_in"] or each["skipped"]
    ]


def warnings(entries: Sequence[Entry]) -> list[str]:
    """One line for each optional transform that failed and was skipped."""
    return [
        f"Warning: transform `{each['transform']}` was skipped in {each['skipped']} batch"
        f"{'es' if each['skipped'] > 1 else ''}, {each['rows_in']:,} rows: {each['error']}"
        for each in _summed(entries).values()
        if each["skipped"]
    ]


def _summed(entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    total: dict[str, dict[str, Any]] = {}
    for figures in _figures(entries):
        known = total.setdefault(figures["transform"], {**figures, **dict.fromkeys(_SUMMED, 0)})
        for name in _SUMMED:
            known[name] += figures[name]
        known["error"] = figures["error"] or known["error"]
        known["note"] = known["note"] or figures["note"]
    return total


def _figures(entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        if entry.stage in {"landing", "validated"}:
            yield from entry.body.get("transforms") or ()

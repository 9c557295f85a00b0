"""How a run ended, by its record.

A run in this process says so itself. One in Dagster does not: each of its steps says
what became of it, and what the stages did is summed up here as a run's report does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_pipelines.store.runs import Entry


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a run.

    Attributes:
        status: as in ``run --json``; ``running`` while a process works on it.
        at: seconds since 1970, UTC; None while it runs, or where it was killed.
        rows: counts as in ``run --json``, where they are known.
    """

    status: str
    at: float | None
    rows: dict[str, Any]


def ending(entries: Sequence[Entry], *, alive: bool) -> Ending:
    """What the entries of a run tell of its end.

    Args:
        entries: all of them, oldest first.
        alive: whether a process works on the run.
    """
    end = next((entry for entry in reversed(entries) if entry.stage == "end"), None)
    if end is not None:
        return Ending(str(end.body.get("status")), end.at, dict(end.body.get("rows") or {}))
    steps = {entry.body["asset"]: entry for entry in entries if entry.stage == "step"}
    states = {entry.body["state"] for entry in steps.values()}
    if not steps or "begun" in states:
        broken = not alive or any(entry.stage == "error" for entry in entries)
        return Ending("failed" if broken or "failed" in states else "running", None, {})
    return Ending(
        _status(entries, failed="failed" in states), max(entry.at for entry in steps.values()), _rows(entries)
    )


def _status(entries: Sequence[Entry], *, failed: bool) -> str:
    if not failed:
        told = [entry.body["batches"] for entry in entries if "batches" in entry.body]
        return "nothing_new" if told and not any(told) else "success"
    if any(entry.body.get("held") for entry in _of(entries, "validated")):
        return "gate_closed"
    return "partial" if _of(entries, "load") else "failed"


def _rows(entries: Sequence[Entry]) -> dict[str, Any]:
    landed, validated, loads = (_of(entries, stage) for stage in ("landing", "validated", "load"))
    names = list(dict.fromkeys(entry.body["destination"] for entry in loads))
    loaded = {name: [entry for entry in loads if entry.body["destination"] == name] for name in names}
    first = loaded[names[0]] if names else []
    return {
        "read": _sum(landed, "read"),
        "filtered": _sum([*landed, *validated], "filtered"),
        "deduplicated": _sum([*landed, *first], "deduplicated"),
        "rejected": _sum(validated, "rejected") + _sum(loads, "refused"),
        "flagged": _sum(validated, "flagged"),
        "loaded": {name: _sum(found, "rows") for name, found in loaded.items()},
    }


def _of(entries: Sequence[Entry], stage: str) -> list[Entry]:
    return [entry for entry in entries if entry.stage == stage]


def _sum(entries: Sequence[Entry], key: str) -> int:
    return sum(int(entry.body.get(key, 0)) for entry in entries)

"""`pipelines state NAME --history`: every batch that landed, with the watermark it left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.cli.output import note, write, write_json

if TYPE_CHECKING:
    from platform_pipelines.engine import HistoryEntry, Project

#: entries a person is shown; `--json` prints all
SHOWN = 50

_HEADERS = ("PARTITION", "BATCH", "KIND", "AT (UTC)", "WATERMARK", "READ", "LANDED", "REJECTED", "STATUS", "RUN")


def show_history(project: Project, name: str, partition: str | None, *, as_json: bool) -> None:
    """Print what happened to the feeds of a pipeline, newest first."""
    from platform_pipelines.cli.tables import table
    from platform_pipelines.engine import watermark_history

    entries = watermark_history(project, name, partition)
    if as_json:
        write_json([entry.to_json() for entry in entries])
    elif not entries:
        write(f"Nothing has landed yet. Run it: `pipelines run {name}`.")
    else:
        write(table(_HEADERS, [_row(entry) for entry in entries[:SHOWN]]))
        if len(entries) > SHOWN:
            note(f"{SHOWN} of {len(entries):,} shown, newest first; `--json` prints all.")


def _row(entry: HistoryEntry) -> tuple[Any, ...]:
    partition, at = entry.partition or "all", entry.at[:19]
    if entry.sequence is None:
        return (partition, f"{entry.epoch}/", "epoch", at, None, None, None, None, entry.reason, entry.run)
    return (
        partition,
        f"{entry.epoch}/{entry.sequence}",
        entry.kind,
        at,
        None if entry.watermark_to is None else str(entry.watermark_to.plain()),
        entry.read,
        entry.rows,
        entry.rejected,
        entry.status,
        entry.run,
    )

"""`pipelines state NAME --explain KEY`: why is this row not here?"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from platform_pipelines.cli.output import count, note, write, write_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from platform_pipelines.engine import Explanation, Project

_HEADERS = ("PARTITION", "BATCH", "LANDED AT (UTC)", "CURSOR", "OUTCOME", "WHY", "FILE", "ROW", "RUN")
_LISTED = 5
_LOST = "whether they held it cannot be known any more."


def show_explanation(project: Project, name: str, key: str, partition: str | None, *, as_json: bool) -> None:
    """Print what is known of the row."""
    from platform_pipelines.engine import explain

    found = explain(project, name, key, partition)
    if as_json:
        write_json(found.to_json())
        return
    write(_text(found))
    for line in found.notes:
        note(line)


def _text(found: Explanation) -> str:
    from platform_pipelines.cli.tables import table

    named = ", ".join(f"{column}={value}" for column, value in found.key.items())
    if not found.versions:
        return "\n".join([f"{named}: no batch holds such a row.", *_doubts(found)])
    rows = [
        (
            version.feed.key,
            f"{version.batch.epoch}/{version.batch.sequence}",
            version.at[:19],
            None if version.seen.cursor is None else str(version.seen.cursor.plain()),
            version.outcome,
            version.detail,
            version.seen.file,
            str(version.seen.row),
            version.run,
        )
        for version in found.versions
    ]
    lines = [f"{named}: read {count(len(rows), 'time')}.", table(_HEADERS, rows), ""]
    for destination, fate in found.destinations.items():
        lines.append(f"{destination}: {fate.status}. {fate.detail}")
        lines += [f"  {version.place} {detail}." for version, detail in fate.overwritten]
    return "\n".join([*lines, *_doubts(found)])


def _doubts(found: Explanation) -> list[str]:
    """What cannot be known."""
    said = []
    if found.retired:
        said.append(
            f"The files of {_counted(found.retired)} were removed by retention ({_listed(found.retired)}): {_LOST}"
        )
    if found.missing:
        files = f"Files of {_counted(found.missing)} are missing, and not by retention ({_listed(found.missing)})"
        said.append(f"{files}: {_LOST} Restore them from a backup, or read the source anew with {_refresh(found)}.")
    return said


def _counted(places: Collection[str]) -> str:
    return "1 batch" if len(places) == 1 else f"{len(places):,} batches"


def _listed(places: Collection[str]) -> str:
    return ", ".join(islice(places, _LISTED)) + (", …" if len(places) > _LISTED else "")


def _refresh(found: Explanation) -> str:
    """The commands that read all again that is missing."""
    feeds = dict.fromkeys(found.missing.values())
    return _listed([f"`pipelines run {found.pipeline}{feed.option} --full-refresh`" for feed in feeds])

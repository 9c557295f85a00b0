"""Which versions of a row a destination refused: told from the dead letters that are its own.

What that means for the row is left to ``fate``, how dead letters of destinations come
to be to ``refusing``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.engine.refusing import refused
from platform_pipelines.model import Offset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from platform_pipelines.engine.sightings import Search, Sighting
    from platform_pipelines.engine.version import Version
    from platform_pipelines.model import Feed


@dataclass(frozen=True, slots=True)
class Refused:
    """A row of the key that a destination refused and has not taken since.

    Attributes:
        destination: its name.
        feed: whose batch.
        batch: the batch.
        seen: where among the dead letters, with cursor and reason.
    """

    destination: str
    feed: Feed
    batch: Offset
    seen: Sighting


def refused_rows(search: Search) -> Iterator[Refused]:
    """The key's rows among the dead letters of destinations in one feed."""
    for each in refused(search.log):
        for seen in search.rejected(each.epoch, each.files):
            yield Refused(each.destination, search.log.feed, Offset(each.epoch, each.sequence), seen)


def pairs(refusals: Sequence[Refused], versions: Sequence[Version]) -> list[tuple[Version, str]]:
    """Each version that was refused with the reason, oldest first: one for each refused row of its batch and cursor."""
    left = list(versions)
    found = []
    for each in refusals:
        version = next((v for v in left if _is(each, v)), None)
        if version is not None:
            left = [v for v in left if v is not version]
            found.append((version, each.seen.reason or "no reason was given"))
    return sorted(found, key=lambda pair: pair[0].age)


def _is(refusal: Refused, version: Version) -> bool:
    return (refusal.feed, refusal.batch, refusal.seen.cursor) == (version.feed, version.batch, version.seen.cursor)

"""What to type about a file of a feed's log that is damaged, told by where it lies.

<store>/<pipeline>/feeds/<all | p-KEY>/e000001/<file>
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.model import Feed

if TYPE_CHECKING:
    from pathlib import Path


def reset_command(place: Path) -> str:
    """The command that starts the feed over whose epoch holds the file."""
    match place.parts:
        case (*_, pipeline, "feeds", feed, _, _):
            return f"`pipelines state {pipeline} --reset{Feed.of_folder(pipeline, feed).option}`"
        case _:  # a file that was copied elsewhere
            return "`pipelines state NAME --reset`"

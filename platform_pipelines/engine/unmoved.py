"""What a batch that moves nothing takes over from the batch before it.

A window read again and dead letters brought back come between two ordinary
extracts, or between the parts of one that was interrupted: watermark, boundary
and the place to go on from stay what they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_pipelines.store import Manifest

_KEPT = ("complete", "watermark", "boundary", "columns", "resume", "zones")


def unmoved(previous: Manifest | None) -> dict[str, Any]:
    """The fields of a manifest that say how far its feed has come, as ``previous`` has them."""
    if previous is None:
        return {}
    fields = {name: getattr(previous, name) for name in _KEPT}
    if not previous.complete:
        # the rest of the extract does not meet these rows again, yet its watermark counts them
        fields |= {"cursor_low": previous.cursor_low, "cursor_high": previous.cursor_high}
    return fields

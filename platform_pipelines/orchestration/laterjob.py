"""A job that is made when something of it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Callable


class LaterJob(dg.JobDefinition):
    """Turns into the job that ``make`` makes at the first look.

    Before Dagster executes assets of the job of all assets, it asks for that job
    with nothing selected, looks at nothing of it, and then for what is selected.

    Args:
        make: makes the job.
    """

    def __init__(self, make: Callable[[], dg.JobDefinition]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - Python asks here for what is not there yet
        if "_make" not in vars(self):
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(msg)
        vars(self).update(vars(vars(self).pop("_make")()))
        return getattr(self, name)

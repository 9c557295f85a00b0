"""Functions that are told of each record and batch of a run.

When they are called is decided by ``listener``; what they do is up to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from platform_pipelines.errors import UsageError

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """One batch, once its fate is known.

    Attributes:
        partition: the partition key; None where the pipeline has none.
        batch: ``epoch/sequence``, its place in the landing log.
        status: ``loaded`` by every destination, ``held`` by the gate, or
            ``failed``: landed, and tried again by the next run.
        rows_in: rows landed.
        rows_out: rows that passed transforms and rules.
        filtered: rows taken away by transforms.
        rejected: dead letters.
    """

    partition: str | None
    batch: str
    status: Literal["loaded", "held", "failed"]
    rows_in: int
    rows_out: int
    filtered: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What to call; anything may be left out.

    Attributes:
        record_start: a record has landed and is about to be judged.
        record_success: a record, as it was loaded, is in every destination.
        record_error: a record was rejected; the text says by which rule and why.
        batch_complete: all records of a batch have been told.
    """

    record_start: Callable[[Record], None] | None = None
    record_success: Callable[[Record], None] | None = None
    record_error: Callable[[Any, str], None] | None = None
    batch_complete: Callable[[BatchResult], None] | None = None

    @classmethod
    def of(cls, given: Any) -> Callbacks:  # noqa: ANN401 - Callbacks, a mapping, or an object with such methods
        """Callbacks from a mapping by name, or from any object that has methods of these names.

        Raises:
            UsageError: a name that is none of these.
        """
        names = [field.name for field in fields(cls)]
        if isinstance(given, cls):
            return given
        found = given if isinstance(given, Mapping) else {name: getattr(given, name, None) for name in names}
        unknown = [name for name in found if name not in names]
        if unknown or (given is not None and not any(found.values())):
            what = f"Unknown callback `{unknown[0]}`." if unknown else f"{given!r} has none of the callbacks."
            msg = f"{what} Allowed: {', '.join(names)}."
            raise UsageError(msg)
        return cls(**found)

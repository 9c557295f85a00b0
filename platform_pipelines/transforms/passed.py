"""Which transforms a row has behind it, so that a replay can go on where it was stopped.

A row that a transform could not convert is kept as it came into that transform,
together with marks of the transforms before. A replay goes on behind the last of
these that today's pipeline still has: found by what it says, else by its label.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from platform_pipelines.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from platform_pipelines.spec.transform import TransformSpec

#: schema metadata that holds the marks
KEY = b"pipelines_passed"


@dataclass(frozen=True, slots=True)
class Passed:
    """One transform that a row has passed: its label, and a digest of its kind and body."""

    label: str
    digest: str

    @classmethod
    def of(cls, spec: TransformSpec) -> Passed:
        """The mark of a transform."""
        said = json.dumps([spec.kind, spec.body, spec.unmapped], sort_keys=True, default=str)
        return cls(spec.label, hashlib.sha256(said.encode()).hexdigest()[:16])


def marked(schema: pa.Schema, passed: Sequence[Passed]) -> pa.Schema:
    """The schema with these marks."""
    said = json.dumps([asdict(each) for each in passed]).encode()
    return schema.with_metadata({**(schema.metadata or {}), KEY: said})


def marks(schema: pa.Schema) -> tuple[Passed, ...] | None:
    """The marks of a schema; None where it has none, because its rows have all transforms behind them."""
    said = (schema.metadata or {}).get(KEY)
    return None if said is None else tuple(Passed(**each) for each in json.loads(said))


def remaining(specs: Sequence[TransformSpec], passed: Sequence[Passed]) -> Sequence[TransformSpec]:
    """The transforms that rows with these marks have before them.

    Raises:
        InvalidData: none of those they have passed is left, so nobody knows where to go on.
    """
    known = [Passed.of(spec) for spec in specs]
    for mark in reversed(passed):
        same = [at for at, each in enumerate(known) if each.digest == mark.digest]
        same = same or [at for at, each in enumerate(known) if each.label == mark.label]
        if same:
            return specs[same[-1] + 1 :]
    if not passed:
        return specs
    listed = ", ".join(f"`{each.label}`" for each in passed)
    msg = (
        f"None of the transforms that these rows have passed ({listed}) is in the pipeline any more. "
        "Give one of those that are there its label, or read the rows anew with --from and --to."
    )
    raise InvalidData(msg)

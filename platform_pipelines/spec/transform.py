"""One step between source and destinations; what it does is left to ``transforms``."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field

from platform_pipelines.spec.base import Flag, Frozen

TransformKind = Literal["map", "filter", "sql", "join", "aggregate", "mask", "python", "function"]
KINDS: tuple[TransformKind, ...] = get_args(TransformKind)
#: keys that may stand beside the kind, and the kind that alone takes them; None for all kinds
SETTINGS: dict[str, TransformKind | None] = {"label": None, "required": None, "unmapped": "map", "at": "mask"}


class TransformSpec(Frozen):
    """One transform.

    Attributes:
        kind: the key under which the YAML holds the body.
        body: a mapping or a text, as written.
        label: for people; default: kind and position.
        required: whether a failure fails the run; else the step is skipped.
        unmapped: what ``map`` does with columns that it takes nothing from.
        at: when ``mask`` hides values: as they are read, before anything is
            stored, or with the other transforms.
        line: line in the pipeline's file, counted from 1.
    """

    kind: TransformKind
    body: Any = Field(default=None)
    label: str
    required: Flag = True
    unmapped: Literal["drop", "keep"] = "drop"
    at: Literal["landing", "validation"] = "validation"
    line: int | None = None

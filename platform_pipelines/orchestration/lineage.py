"""Column lineage: which landed column each validated and loaded column comes from.

Followed through map, filter, mask, join and aggregate. What SQL and functions
do to columns is not guessed: behind one of these there is no lineage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from platform_pipelines.spec import TransformSpec

#: each column of a relation, and the landed columns that it is made of
Sources = dict[str, tuple[str, ...]]


def identity(columns: Iterable[str], upstream: dg.AssetKey) -> dg.TableColumnLineage:
    """Every column comes from the one of the same name."""
    return _lineage({name: (name,) for name in columns}, upstream)


def through(
    landed: Iterable[str], transforms: Sequence[TransformSpec], upstream: dg.AssetKey
) -> dg.TableColumnLineage | None:
    """The lineage behind ``transforms``; None where one of them cannot be followed."""
    sources: Sources | None = {name: (name,) for name in landed}
    for transform in transforms:
        follow = _FOLLOWED.get(transform.kind)
        if follow is None or sources is None:
            return None
        sources = follow(sources, transform)
    return None if sources is None else _lineage(sources, upstream)


def _lineage(sources: Sources, upstream: dg.AssetKey) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        deps_by_column={
            name: [dg.TableColumnDep(asset_key=upstream, column_name=source) for source in found]
            for name, found in sources.items()
        }
    )


def _same(sources: Sources, _: TransformSpec) -> Sources:
    return sources


def _map(sources: Sources, transform: TransformSpec) -> Sources:
    found: Sources = {}
    paths = {name: _path(name, value) for name, value in transform.body.items()}
    for name, path in paths.items():
        # a column may have a dot in its name; otherwise what is before the first dot is the column
        origins = sources.get(path) or sources.get(path.split(".", 1)[0]) or ()
        column = name.split(".", 1)[0]  # what is behind the first dot is a field in it
        found[column] = tuple(dict.fromkeys((*found.get(column, ()), *origins)))
    if transform.unmapped == "keep":
        taken = {*paths.values(), *found}
        found |= {name: origins for name, origins in sources.items() if name not in taken}
    return found


def _path(name: str, value: Any) -> str:  # noqa: ANN401 - any YAML value
    return value if isinstance(value, str) else (value or {}).get("from") or name


def _join(sources: Sources, transform: TransformSpec) -> Sources | None:
    body = transform.body
    selected = body.get("select")
    if not selected:
        return None  # all columns of a table that only the run knows
    added: Sources = {f"{body.get('prefix') or ''}{name}": () for name in selected}
    return {**sources, **added}


def _aggregate(sources: Sources, transform: TransformSpec) -> Sources:
    body = transform.body
    found = {name: sources.get(name, ()) for name in body.get("by") or ()}
    for name, text in (body.get("values") or {}).items():
        _, _, column = str(text).partition(":")
        found[name] = sources.get(column.strip(), ())
    return found


_FOLLOWED: dict[str, Callable[[Sources, TransformSpec], Sources | None]] = {
    "filter": _same,
    "mask": _same,
    "map": _map,
    "join": _join,
    "aggregate": _aggregate,
}

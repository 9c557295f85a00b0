"""Column lineage: which landed column each validated and loaded column comes from.

Followed through map, filter, mask, join and aggregate. What SQL and functions
do to columns is not guessed: behind one of these there is no lineage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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
        sources = follow(sources, transform.body)
    return None if sources is None else _lineage(sources, upstream)


def _lineage(sources: Sources, upstream: dg.AssetKey) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        deps_by_column={
            name: [dg.TableColumnDep(asset_key=upstream, column_name=source) for source in found]
            for name, found in sources.items()
        }
    )


def _same(sources: Sources, _: Any) -> Sources:  # noqa: ANN401 - any YAML value
    return sources


def _map(sources: Sources, body: Mapping[str, Any]) -> Sources:
    return {name: _mapped(sources, name, value) for name, value in body.items()}


def _mapped(sources: Sources, name: str, value: Any) -> tuple[str, ...]:  # noqa: ANN401 - any YAML value
    path = value if isinstance(value, str) else (value or {}).get("from") or name
    # a column may have a dot in its name; otherwise what is before the first dot is the column
    return sources.get(path) or sources.get(path.split(".", 1)[0]) or ()


def _join(sources: Sources, body: Mapping[str, Any]) -> Sources | None:
    selected = body.get("select")
    if not selected:
        return None  # all columns of a table that only the run knows
    added: Sources = {f"{body.get('prefix') or ''}{name}": () for name in selected}
    return {**sources, **added}


def _aggregate(sources: Sources, body: Mapping[str, Any]) -> Sources:
    found = {name: sources.get(name, ()) for name in body.get("by") or ()}
    for name, text in (body.get("values") or {}).items():
        _, _, column = str(text).partition(":")
        found[name] = sources.get(column.strip(), ())
    return found


_FOLLOWED: dict[str, Callable[[Sources, Any], Sources | None]] = {
    "filter": _same,
    "mask": _same,
    "map": _map,
    "join": _join,
    "aggregate": _aggregate,
}

"""Names of columns that no load can tell apart or call: DuckDB, which prepares every load, minds no capitals.

It reads ``a`` and ``A`` as ``a`` and ``A_1``, and where the second column has no name, that one as ``C1``; asked
for ``A`` it gives ``a``. What a source may land is not decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


def check_names(names: Sequence[str]) -> None:
    """See that every column has a name, and one of its own whatever its capitals.

    Raises:
        InvalidData: one has none, or two differ in case alone; naming the transform that mends it.
    """
    likely = [f"{name}_1" if name else f"C{place}" for place, name in enumerate(names)]
    for _, msg in _faults(names, likely):
        raise InvalidData(msg)


def check_kept(names: Sequence[str], known_as: Sequence[str], after: Iterable[str], origins: Mapping[str, str]) -> None:
    """See that no column has passed the transforms under the name that DuckDB made up for it.

    Args:
        names: of the columns that were landed.
        known_as: how the transforms know them.
        after: names behind the transforms.
        origins: unchanged columns, ``{name behind them: name before}``.

    Raises:
        InvalidData: one has; see :func:`check_names`.
    """
    made_up = {shown: place for place, (name, shown) in enumerate(zip(names, known_as, strict=True)) if name != shown}
    kept = sorted(made_up[name] for name in after if name in made_up and origins.get(name, name) == name)
    faults = dict(_faults(names, known_as)) if kept else {}
    if faults:  # of a column that was mended by a transform nothing is said
        place = next((place for place in kept if place in faults), kept[0])
        raise InvalidData(faults.get(place) or _renamed(f"the column {names[place]!r}", known_as[place]))


def _faults(names: Sequence[str], known_as: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The places of columns that have no name, or one that differs from another in case alone, and what to do."""
    seen: dict[str, str] = {}
    for place, (name, shown) in enumerate(zip(names, known_as, strict=True)):
        if not name:
            msg = (
                f"Column {place + 1} of {len(names)} ({_beside(names, place)}) has no name, and a table needs one. "
                f'{_renamed("it", shown)} Or leave it out: `sql: "select * exclude ({shown}) from input"`.'
            )
            yield place, msg
        elif (other := seen.setdefault(name.lower(), name)) != name:
            msg = (
                f"The columns {other!r} and {name!r} differ in case alone, and a load cannot tell them apart. "
                f"{_renamed('the second', shown)} Or rename one where the rows come from."
            )
            yield place, msg


def check_beside(names: Sequence[str], known: Sequence[str], table: str) -> None:
    """See that no two columns that the table would have differ in case alone.

    Args:
        names: of the load.
        known: of the table.
        table: the table.

    Raises:
        InvalidData: two would.
    """
    seen: dict[str, str] = {}
    for name in (*known, *names):
        if (other := seen.setdefault(name.lower(), name)) == name:
            continue
        if name in known:
            msg = (
                f"{table} has the columns {other!r} and {name!r}, which differ in case alone: a load cannot tell them "
                "apart. Load into another `table`, with one of them renamed by a `map` transform."
            )
        else:
            msg = (
                f"The columns {other!r} of {table} and {name!r} of the load differ in case alone. Rename the new one "
                "by a `map` transform, then load anew: `pipelines run NAME --full-refresh`."
            )
        raise InvalidData(msg)


def _renamed(which: str, shown: str) -> str:
    rename = f'`sql: "select * rename ({shown} as NAME) from input"`'
    return f"Transforms know {which} as `{shown}`: rename it by `map`, or by {rename}."


def _beside(names: Sequence[str], place: int) -> str:
    if place:
        return f"behind {names[place - 1]!r}"
    return f"before {names[1]!r}" if len(names) > 1 else "the only one"

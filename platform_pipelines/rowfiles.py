"""Rows that lie in local Parquet files: all of them, or all but those at certain places.

How the rows are read is left to ``rowsql`` and the callers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A Parquet file that says which rows do not count.

    Its columns are ``file``, which of the files, and ``row``, the row in it; both are counted from 0.

    Attributes:
        path: where it is.
        first: which of the files of its :class:`RowFiles` its number 0 means.
    """

    path: Path
    first: int = 0


@dataclass(frozen=True, slots=True)
class RowFiles:
    """Rows in files.

    Attributes:
        paths: Parquet files, in the order of their rows.
        left_out: the rows in them that do not count.
        plain: whether no column bears a name by which DuckDB knows a row's place; see ``rowsql``.
    """

    paths: tuple[Path, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    plain: bool = True

    @property
    def whole(self) -> tuple[Path, ...]:
        """The files, where they hold these rows and no others."""
        return () if self.left_out else self.paths

    @property
    def bytes(self) -> int:
        """Bytes of the files on disk."""
        return sum(path.stat().st_size for path in self.paths)

    def masks(self) -> dict[int, bytearray]:
        """Of each file in which rows do not count, by its number: a byte for each row, 1 where it does not.

        Raises:
            OSError: a file is gone.
        """
        import pyarrow.parquet as pq

        found: dict[int, bytearray] = {}
        for each in self.left_out:
            table = pq.read_table(each.path)
            for file, row in zip(*(table.column(name).to_pylist() for name in ("file", "row")), strict=True):
                number = each.first + file
                if number not in found:
                    path: Any = self.paths[number]
                    found[number] = bytearray(pq.read_metadata(path).num_rows)
                found[number][row] = 1
        return found

    @classmethod
    def joined(cls, parts: Iterable[RowFiles]) -> RowFiles:
        """The rows of all parts, one behind the other."""
        paths: list[Path] = []
        left_out: list[LeftOut] = []
        plain = True
        for part in parts:
            left_out += [LeftOut(each.path, each.first + len(paths)) for each in part.left_out]
            paths += part.paths
            plain = plain and part.plain
        return cls(tuple(paths), tuple(left_out), plain)


#: no rows in files
NOWHERE = RowFiles()

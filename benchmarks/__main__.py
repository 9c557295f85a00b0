"""``python -m benchmarks [NAME]``: measure and print one table each."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from benchmarks import api, flights, launching, location, postgres, python_transform, scale, sidebyside

if TYPE_CHECKING:
    from collections.abc import Callable

_PAGE_ROWS = 1_000_000
_TABLES: dict[str, Callable[[argparse.Namespace], None]] = {
    "flights": lambda options: flights.compare(options.repeats),
    "postgres": lambda options: postgres.compare(options.rows, options.repeats),
    "api": lambda options: api.compare(options.repeats),
    "location": lambda options: location.compare(options.repeats),
    "launch": lambda options: launching.compare(options.repeats),
    "scale": lambda options: scale.compare(options.repeats),
    "sidebyside": lambda options: sidebyside.compare(
        options.work, options.rows[0], options.repeats, write=not options.work and options.rows[0] == _PAGE_ROWS
    ),
    "python_transform": lambda options: python_transform.compare(options.repeats),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", nargs="?", choices=list(_TABLES), help="default: all")
    parser.add_argument("--repeats", type=int, default=3, help="child processes for each figure")
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[1_000_000, 10_000_000], help="rows of the PostgreSQL table"
    )
    parser.add_argument(
        "--work", nargs="+", default=[], choices=[*sidebyside.WORKS, "merge"], help="of sidebyside; default: all"
    )
    options = parser.parse_args()
    for name, table in _TABLES.items():
        if options.name in {None, name}:
            table(options)


if __name__ == "__main__":
    main()

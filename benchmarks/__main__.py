"""``python -m benchmarks [flights|postgres]``: measure and print one table each."""

from __future__ import annotations

import argparse

from benchmarks import flights, postgres


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", nargs="?", choices=["flights", "postgres"], help="default: both")
    parser.add_argument("--repeats", type=int, default=3, help="child processes for each figure")
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[1_000_000, 10_000_000], help="rows of the PostgreSQL table"
    )
    options = parser.parse_args()
    if options.name in {None, "flights"}:
        flights.compare(options.repeats)
    if options.name in {None, "postgres"}:
        postgres.compare(options.rows, options.repeats)


if __name__ == "__main__":
    main()

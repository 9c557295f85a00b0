"""Tables of measured works: a line each on the terminal, and a page for the documentation."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.rounds import Figures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "benchmarks.md"
_ENGINES = ("engine",)
_FLOORS = ("floor", "only ")


@dataclass(frozen=True)
class Row:
    """One work, measured.

    Attributes:
        title: for people.
        target: the ratio to the floor that is aimed at; None where none is.
        figures: by label, or why there are none.
    """

    title: str
    target: float | None
    figures: Mapping[str, Figures | str]

    @classmethod
    def of_rounds(cls, title: str, target: float | None, rounds: Sequence[Mapping[str, Figures | str]]) -> Row:
        """Several rounds of one run each, as one row."""
        found: dict[str, Figures | str] = {}
        for label in rounds[0]:
            parts = [each[label] for each in rounds]
            measured = [part for part in parts if isinstance(part, Figures)]
            refusals = [part for part in parts if isinstance(part, str)]
            seconds = tuple(second for part in measured for second in part.seconds)
            found[label] = refusals[0] if refusals else Figures(seconds, max(part.peak for part in measured))
        return cls(title, target, found)

    @property
    def floor(self) -> float:
        """Median seconds of the floor; of several, the slowest."""
        return max(figures.median for label, figures in self._measured().items() if label.startswith(_FLOORS))

    @property
    def best_peer(self) -> tuple[str, float] | None:
        """The fastest other tool and its median seconds."""
        others = {
            label: figures.median
            for label, figures in self._measured().items()
            if not label.startswith((*_ENGINES, *_FLOORS))
        }
        return min(others.items(), key=lambda item: item[1]) if others else None

    def _measured(self) -> dict[str, Figures]:
        return {label: figures for label, figures in self.figures.items() if isinstance(figures, Figures)}


def print_row(row: Row) -> None:
    """Print one work: each candidate's median, spread, peak and ratio to the floor."""
    aim = f" (target: {row.target:g})" if row.target else ""
    print(f"\n{row.title}{aim}", flush=True)
    for label, figures in row.figures.items():
        if isinstance(figures, str):
            print(f"  {label:16} {figures}", flush=True)
            continue
        ratio = figures.median / row.floor
        print(
            f"  {label:16} {figures.median:7.2f} s  ±{figures.spread:4.0%}  {figures.peak:6.0f} MB  {ratio:6.2f}",
            flush=True,
        )


def write_page(rows: Sequence[Row], size: int, repeats: int) -> None:
    """Write docs/reference/benchmarks.md: ratios, for seconds say nothing about another machine."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Whole processes, started cold, in turns, with bytecode compiled; each figure is the",
        f"median of {repeats} runs over {size:,} rows of 12 columns, as a ratio to the floor: the least the work",
        "costs when it is written by hand, without log, offsets, checks or counts. Spread is slowest minus fastest,",
        "of the engine.",
        "Peers validate nothing. A machine of your own gives other seconds, and much the same ratios.",
        "",
        "| work | target | engine | spread | peak MB | best peer | others |",
        "|---|---|---|---|---|---|---|",
        *(_line(row) for row in rows),
        "",
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}; "
        + ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "psycopg"))
        + ".",
        "",
    ]
    PAGE.write_text("\n".join(lines))


def _line(row: Row) -> str:
    engine = next((row.figures[label] for label in row.figures if label in {"engine", "four"}), "")
    ours = f"**{engine.median / row.floor:.2f}**" if isinstance(engine, Figures) else engine
    spread, peak = (f"{engine.spread:.0%}", f"{engine.peak:.0f}") if isinstance(engine, Figures) else ("", "")
    best = row.best_peer
    peer = f"{best[0]} {best[1] / row.floor:.2f}" if best else "none"
    others = [
        f"{label} {figures.median / row.floor:.2f}" if isinstance(figures, Figures) else f"{label}: {figures}"
        for label, figures in row.figures.items()
        if not label.startswith((*_ENGINES, *_FLOORS)) and (best is None or label != best[0])
    ]
    target = f"≤ {row.target:g}" if row.target else "report"
    return f"| {row.title} | {target} | {ours} | {spread} | {peak} | {peer} | {'; '.join(others) or 'none'} |"

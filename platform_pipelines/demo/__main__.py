"""``python -m platform_pipelines.demo``: prepare the data, run the pipelines, print the summary."""

from __future__ import annotations

import argparse
import sys

from platform_pipelines.cli.guard import guarded, leave
from platform_pipelines.demo.data import prepare
from platform_pipelines.demo.order import run_all
from platform_pipelines.demo.summary import print_summary
from platform_pipelines.engine import open_project


def run_demo(*, prepare_only: bool) -> int:
    """Prepare the data and run the demo; the exit code is the worst of the pipelines'."""
    project = open_project()
    folder = prepare(project.root)
    if prepare_only:
        return 0
    _say(f"Input: {folder}")
    reports = run_all(project, _say)
    print_summary(project, reports)
    return max((report.exit_code for report in reports), default=0)


def main() -> None:
    """Run the demo as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m platform_pipelines.demo", description="Run the demo pipelines.")
    parser.add_argument("--prepare-only", action="store_true", help="only copy the input files into data/in")
    options = parser.parse_args()
    worst: list[int] = []
    code = guarded(lambda: worst.append(run_demo(prepare_only=options.prepare_only)), sys.argv[1:])
    leave(code or max(worst, default=0))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""``python -m platform_pipelines.demo``: prepare the data, run the pipelines, print the summary."""

from __future__ import annotations

import argparse
import sys

from platform_pipelines.demo.data import prepare
from platform_pipelines.demo.order import run_all
from platform_pipelines.demo.summary import print_summary
from platform_pipelines.engine import open_project
from platform_pipelines.errors import PipelinesError


def main(arguments: list[str] | None = None) -> int:
    """Run the demo and return the exit code: the worst of the pipelines'."""
    parser = argparse.ArgumentParser(prog="python -m platform_pipelines.demo", description="Run the demo pipelines.")
    parser.add_argument("--prepare-only", action="store_true", help="only copy the input files into data/in")
    options = parser.parse_args(arguments)
    try:
        project = open_project()
        folder = prepare(project.root)
        if options.prepare_only:
            return 0
        sys.stdout.write(f"Input: {folder}\n")
        reports = run_all(project)
        print_summary(project, reports)
    except PipelinesError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return max((report.exit_code for report in reports), default=0)


if __name__ == "__main__":
    sys.exit(main())

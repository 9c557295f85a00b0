"""What is installed is the same on every Python that is allowed: a library of another version is another library."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_is_imported_has_one_version_on_every_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[<>=; ]", each)[0].lower() for each in project["dependencies"]}
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    versions = Counter(package["name"] for package in packages)
    assert wanted <= versions.keys()
    assert {name: versions[name] for name in wanted if versions[name] > 1} == {}

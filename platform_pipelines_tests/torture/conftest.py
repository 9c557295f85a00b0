from __future__ import annotations

import gc
import tempfile
from typing import TYPE_CHECKING

import pytest

from platform_pipelines import duck
from platform_pipelines_tests.torture.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder that no other process uses, so that what is left there was left by the test."""
    duck.spill_folder()  # of this whole process: not in there
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    gc.collect()  # what runs that died left open is closed within the test that let them


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Forks runs that can be killed."""
    with Zygote() as started:
        yield started

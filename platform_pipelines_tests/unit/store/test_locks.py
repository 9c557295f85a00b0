"""A lock that cannot be had for reasons of the disk says so, and what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines.errors import ConnectError
from platform_pipelines.store.locks import locked

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("taken", ["feed", "feed/.lock"])
def test_a_lock_file_that_cannot_be_made_is_an_error_with_the_way_out(tmp_path: Path, taken: str) -> None:
    if taken == "feed":
        (tmp_path / taken).write_text("where a folder belongs")
    else:
        (tmp_path / taken).mkdir(parents=True)
    path = tmp_path / "feed/.lock"
    with (
        pytest.raises(ConnectError, match=f"The landing log cannot be written at {path}: .*PIPELINES_STORE"),
        locked(path, "Feed p/all", "pt-1"),
    ):
        pass


def test_errors_of_the_work_under_a_lock_stay_what_they_are(tmp_path: Path) -> None:
    msg = "of the work"
    with pytest.raises(OSError, match=msg), locked(tmp_path / ".lock", "Feed p/all", "pt-1"):
        raise OSError(msg)

"""A refresh token that the server renewed: dead at any moment of saving it, the old one or the new one is there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from platform_pipelines.http.tokens import Kept, TokenFile
from platform_pipelines_tests.torture.crash import Bomb, Crash, Recorder, hooked
from platform_pipelines_tests.torture.elsewhere import excused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD, NEW = Kept("old", "a", 1.0), Kept("new", "b", 2.0)


def test_dead_around_every_effect(tmp_path: Path, cases: Callable[[str, int], None]) -> None:
    recorder = Recorder()
    with hooked(recorder):
        _renew(tmp_path / "clean" / "token.json")
    assert excused("torture/test_token_file.py::test_dead_around_every_effect") <= {p.site for p in recorder.points}
    for number, point in enumerate(recorder.points):
        path = tmp_path / str(number) / "token.json"
        if point.kind != "mkdir":
            with TokenFile(path).locked():
                TokenFile(path).write(OLD)
        with hooked(Bomb(number)), contextlib.suppress(Crash):
            _renew(path)
        assert TokenFile(path).read() in {OLD if path.exists() else None, NEW}
        _renew(path)
        assert TokenFile(path).read() == NEW
        assert not path.with_suffix(".tmp").exists()
    cases("deaths while a renewed token is saved", len(recorder.points))


def _renew(path: Path) -> None:
    tokens = TokenFile(path)
    with tokens.locked():
        tokens.write(NEW)

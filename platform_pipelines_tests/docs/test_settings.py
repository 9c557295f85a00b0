from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_is_documented_and_every_documented_one_is_read() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "platform_pipelines").rglob("*.py"))
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(PIPELINES_[A-Z_]+)`", page, re.MULTILINE))
    assert rows == set(re.findall(r"\bPIPELINES_[A-Z_]+\b", code))

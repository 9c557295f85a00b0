from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.spec import load_catalog

if TYPE_CHECKING:
    import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_pipeline_in_ten_lines_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pipeline, connectors = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(pipeline.splitlines()) == 10
    (tmp_path / "orders.yaml").write_text(pipeline)
    (tmp_path / "connectors.yaml").write_text(connectors)
    catalog = load_catalog(tmp_path, capabilities)
    assert list(catalog.pipelines) == ["orders"]
    assert [rule.id for rule in catalog.pipelines["orders"].quality.rules]

"""The example of docs/how-to/add-a-connector.md passes the contract that it tells readers to inherit."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

from platform_pipelines.testing.contract import SourceContract

_PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-connector.md"
_CONNECTOR, _SUITE = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)


def _run(code: str, name: str, known: dict[str, Any]) -> dict[str, Any]:
    module = types.ModuleType(name)
    module.__dict__.update(known)
    sys.modules[name] = module
    exec(compile(code, name, "exec"), module.__dict__)  # noqa: S102 - the page's own code
    return module.__dict__


_WRITTEN = _run(_CONNECTOR, "how_to_connector", {})
_TESTED = _run(_SUITE, "how_to_suite", {"FeatherConnector": _WRITTEN["FeatherConnector"]})


class TestTheExample(_TESTED["TestFeather"]):  # type: ignore[misc]
    pass


def test_the_example_is_short_and_inherits_the_contract() -> None:
    assert len(_CONNECTOR.splitlines()) < 60
    assert issubclass(TestTheExample, SourceContract)

from __future__ import annotations

import pytest

from platform_pipelines_tests.docs.yaml_reference import PAGE, draw


def test_page_is_what_the_models_say() -> None:
    assert PAGE.read_text() == draw(), "run `make reference`"


@pytest.mark.parametrize("key", ["syncCursorInDBEvery", "schema_contract", "max_concurrent_threads", "detect_changes"])
def test_page_names_every_kind_of_key(key: str) -> None:
    assert key in PAGE.read_text()

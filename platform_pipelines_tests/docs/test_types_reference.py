from __future__ import annotations

from platform_pipelines_tests.docs.types_reference import PAGE, draw


def test_page_is_what_the_golden_table_says() -> None:
    assert PAGE.read_text() == draw(), "run `make reference`"

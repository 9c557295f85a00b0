from __future__ import annotations

import pytest

from platform_pipelines.http.retry import retry_after


@pytest.mark.parametrize(
    "text",
    [
        "Sat, 1 Jan 99999999999999999999 00:00:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 +99999999999999999999",
        "Sat, 1 Jan 0000 00:00:00 GMT",
        "120, 120",
        "nan",
    ],
)
def test_a_wait_that_nobody_can_read_is_none(text: str) -> None:
    assert retry_after({"retry-after": text}) is None
    assert retry_after({"retry-after": "5", "date": text}) == 5.0

from __future__ import annotations

import pytest

from platform_pipelines.http.links import next_link


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", None),
        ("garbage", None),
        ("<>; rel=next", ""),
        ('<http://h/x?page=2>; rel="next"', "http://h/x?page=2"),
        ("</x?page=2>;rel=next", "/x?page=2"),
        ('<http://h/1>; rel="prev", <http://h/3>; rel="next"', "http://h/3"),
        ('<http://h/1>; rel="prev",<http://h/3> ; rel = "next" , <http://h/9>; rel="last"', "http://h/3"),
        ('<http://h/x?page=2>; title="a=b"; rel="next"', "http://h/x?page=2"),
        ('<http://h/x?page=2>; title="a, b; \\"rel=next\\""; rel="next"', "http://h/x?page=2"),
        ('<http://h/x?page=2>; results="true"; cursor=a==; rel="next"', "http://h/x?page=2"),
        ('<http://h/y;v=1?page=2>; rel="next"', "http://h/y;v=1?page=2"),
        ('<http://h/x?p=a,b&q=<c>; rel="next"', "http://h/x?p=a,b&q=<c"),
        ('<http://h/x?page=2>; rel="next last"', "http://h/x?page=2"),
        ("<http://h/x?page=2>; REL=Next", "http://h/x?page=2"),
        ('<http://h/x?page=2>; rel="prev"; rel="next"', None),
        ('<http://h/x?page=2>; rel="nextish"', None),
        ('<http://h/x?page=2>; title="next"', None),
    ],
)
def test_the_next_page_is_found(header: str, found: str | None) -> None:
    assert next_link(header) == found

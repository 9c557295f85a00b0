"""Rows served in pages by every kind of paging, sorted and filtered like an API's own.

What goes wrong is left to ``api_server``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from platform_pipelines_tests.api_server import Answer, ApiServer, Asked

SIZE = 10


def rows(count: int) -> list[dict[str, Any]]:
    """``count`` records whose cursor ``at`` grows by a second, two of them at each second."""
    return [
        {"id": i, "at": f"2026-01-01T00:{i // 2 // 60:02}:{i // 2 % 60:02}Z", "name": f"n{i}"} for i in range(count)
    ]


@dataclass
class Paged:
    """A collection under ``/paged/STYLE``; styles: page, offset, cursor, next_link, link_header, none, body.

    Attributes:
        api: where it is served.
        records: the rows, in the order in which they are given.
        size: records of a page, unless the request says otherwise.
        envelope: further keys of every answer.
    """

    api: ApiServer
    records: list[dict[str, Any]]
    size: int = SIZE
    envelope: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api.serve("/paged/*", self.answer)

    def answer(self, asked: Asked) -> Answer:
        style = asked.path.rsplit("/", 1)[1]
        since = asked.params.get("since", "")
        records = [record for record in self.records if str(record.get("at") or "9999") >= since]
        size = int(asked.params.get("limit", self.size))
        start = self._start(style, asked, size)
        part = records if style == "none" else records[start : start + size]
        following = start + size if style != "none" and start + size < len(records) else None
        body = {"results": part, "total": len(records), "pages": -(-len(records) // size), **self.envelope}
        return self._answer(asked, body, following)

    def _start(self, style: str, asked: Asked, size: int) -> int:
        if style == "page":
            return (int(asked.params.get("page", 1)) - 1) * size
        if style == "body":
            return int(asked.json().get("paging", {}).get("after", 0))
        return int(asked.params.get("after" if style == "cursor" else "offset", 0))

    def _answer(self, asked: Asked, body: dict[str, Any], following: int | None) -> Answer:
        style, headers = asked.path.rsplit("/", 1)[1], {}
        query = "&".join([f"offset={following}", *(f"since={v}" for k, v in asked.params.items() if k == "since")])
        if style in {"cursor", "body"}:
            body["paging"] = {"next": {"after": str(following)}} if following is not None else None
        elif style == "next_link":
            body["next"] = f"/paged/next_link?{query}" if following is not None else None
        elif style == "link_header" and following is not None:
            headers["Link"] = f'<{self.api.url}/paged/link_header?{query}>; rel="next"'
        return Answer(json=body, headers=headers)

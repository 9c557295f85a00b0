"""A HubSpot account on loopback: lists, searches, properties and owners in the documented shapes and limits.

Shapes and limits: https://developers.hubspot.com/docs/api-reference/search/guide
(200 a page, 10,000 results a query, five searches a second) and
https://developers.hubspot.com/docs/guides/api/crm/objects/contacts (100 a page).
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import Any

from platform_pipelines_tests.api_server import Answer, ApiServer, Asked

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MOST_RESULTS, LARGEST_SEARCH, LARGEST_LIST = 10_000, 200, 100


def instant(second: int) -> str:
    """A moment as HubSpot writes it."""
    return (START + dt.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def person(number: int, second: int, **properties: str) -> dict[str, Any]:
    """A contact, last changed at a second after ``START``."""
    at = instant(second)
    known = {"email": f"p{number}@example.com", "firstname": f"P{number}", **properties}
    return {
        "id": str(number),
        "properties": {**known, "createdate": START.isoformat(), "lastmodifieddate": at, "hs_lastmodifieddate": at},
        "createdAt": instant(0),
        "updatedAt": at,
        "archived": False,
    }


@dataclass
class HubSpot:
    """The account: objects by type, each sorted by id.

    Attributes:
        too_many: searches, counted from 1, that come too soon behind others, however slow this machine is.
    """

    api: ApiServer
    objects: dict[str, list[dict[str, Any]]]
    searches_a_second: int = 5
    too_many: frozenset[int] = frozenset()
    associations: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    _searched: list[float] = field(default_factory=list)
    _searches: int = 0

    def __post_init__(self) -> None:
        self.api.serve("/crm/v3/owners", self._owners)
        self.api.serve("/crm/v3/properties/*", self._properties)
        self.api.serve("/crm/v3/objects/*", lambda a: self._search(a) if a.path.endswith("/search") else self._list(a))

    def _owners(self, asked: Asked) -> Answer:  # noqa: ARG002 - a route's signature
        owner = {"id": "7", "email": "o@example.com", "firstName": "O", "lastName": "P", "userId": 9, "archived": False}
        return Answer(json={"results": [{**owner, "createdAt": instant(0), "updatedAt": instant(5)}]}, headers=_dated())

    def _properties(self, asked: Asked) -> Answer:
        records = self.objects[asked.path.rsplit("/", 1)[1]]
        names = sorted({name for record in records for name in record["properties"]})
        return Answer(json={"results": [{"name": name, "label": name, "type": "string"} for name in names]})

    def _list(self, asked: Asked) -> Answer:
        kind = asked.path.rsplit("/", 1)[1]
        limit = int(asked.params.get("limit", 10))
        if limit > LARGEST_LIST:
            return _refused(f"limit {limit} is above {LARGEST_LIST}")
        rest = [record for record in self.objects[kind] if int(record["id"]) > int(asked.params.get("after", 0)) - 1]
        wanted = asked.params["properties"].split(",") if "properties" in asked.params else None
        results = [_shown(record, wanted) for record in rest[:limit]]
        for other in filter(None, asked.params.get("associations", "").split(",")):
            for record in results:
                links = [{"id": each, "type": f"{kind}_to_{other}"} for each in self.associations[other][record["id"]]]
                record["associations"] = {other: {"results": links}}
        paging = {"paging": {"next": {"after": rest[limit]["id"], "link": "…"}}} if len(rest) > limit else {}
        return Answer(json={"results": results, **paging}, headers=_dated())

    def _search(self, asked: Asked) -> Answer:
        now = time.monotonic()
        self._searched = [each for each in self._searched if each > now - 1] + [now]
        self._searches += 1
        if len(self._searched) > self.searches_a_second or self._searches in self.too_many:
            self._searched.pop()
            limited = {"status": "error", "message": "You have reached your secondly limit.", "policyName": "SECONDLY"}
            return Answer(status=429, json=limited)
        body = asked.json()
        limit, after = int(body.get("limit", 10)), int(body.get("after", 0))
        if limit > LARGEST_SEARCH or after + limit > MOST_RESULTS:
            return _refused(f"limit {limit} after {after}: a search gives {MOST_RESULTS} results at most")
        found = [r for r in self.objects[asked.path.split("/")[4]] if _matches(r, body["filterGroups"])]
        for sort in body["sorts"]:
            down = sort["direction"] == "DESCENDING"
            found.sort(key=lambda record, name=sort["propertyName"]: _number(_property(record, name)), reverse=down)
        results = [_shown(record, body.get("properties")) for record in found[after : after + limit]]
        paging = {"paging": {"next": {"after": str(after + limit)}}} if after + limit < len(found) else {}
        return Answer(json={"total": len(found), "results": results, **paging}, headers=_dated())


def _matches(record: dict[str, Any], groups: list[dict[str, Any]]) -> bool:
    compare = {"GT": int.__gt__, "GTE": int.__ge__, "LT": int.__lt__, "LTE": int.__le__, "EQ": int.__eq__}
    return any(
        all(
            compare[f["operator"]](_number(_property(record, f["propertyName"])), int(f["value"])) for f in g["filters"]
        )
        for g in groups
    )


def _property(record: dict[str, Any], name: str) -> str:
    return str(record["id"] if name == "hs_object_id" else record["properties"][name])


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else int(dt.datetime.fromisoformat(text).timestamp() * 1_000)


def _shown(record: dict[str, Any], wanted: list[str] | None) -> dict[str, Any]:
    if wanted is None:
        wanted = ["createdate", "email", "firstname", "lastmodifieddate"]
    return {**record, "properties": {name: record["properties"].get(name) for name in wanted}}


def _dated() -> dict[str, str]:
    return {"Date": dt.datetime.now(dt.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")}


def _refused(message: str) -> Answer:
    return Answer(status=400, json={"status": "error", "message": message, "category": "VALIDATION_ERROR"})

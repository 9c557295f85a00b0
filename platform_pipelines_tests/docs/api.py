"""The APIs of the pages on HTTP: contacts behind a token, ten at a time, sorted by their cursor; people of known owners."""

from __future__ import annotations

from platform_pipelines_tests.api_pages import rows
from platform_pipelines_tests.api_server import Answer, ApiServer, Asked

_SIZE = 10


def serve_contacts(api: ApiServer) -> None:
    """Serve ``/contacts``."""
    records = [{"id": row["id"], "name": row["name"], "updated_at": row["at"]} for row in rows(25)]

    def contacts(asked: Asked) -> Answer:
        if asked.headers.get("authorization") != "Bearer sesame":
            return Answer(status=401, json={"message": "who are you?"})
        found = [each for each in records if each["updated_at"] >= asked.params.get("updated_since", "")]
        start = int(asked.params.get("after", 0))
        after = str(start + _SIZE) if start + _SIZE < len(found) else None
        return Answer(json={"results": found[start : start + _SIZE], "paging": {"next": {"after": after}}})

    api.serve("/contacts", contacts)


def take_people(api: ApiServer) -> None:
    """Take records at ``/people`` whose owner is known; ``/owners`` makes one known."""
    owners = {7}

    def people(asked: Asked) -> Answer:
        owner = asked.json()["owner"]
        if owner not in owners:
            return Answer(status=422, json={"error": f"unknown owner {owner}"})
        return Answer(status=201, json={})

    def known(asked: Asked) -> Answer:
        owners.add(asked.json()["id"])
        return Answer(status=201, json={})

    api.serve("/people", people)
    api.serve("/owners", known)

"""The project under attack with an API as its destination, which knows each request by its key."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.http import HttpConnector
from platform_pipelines_tests.api_sink import Sink
from platform_pipelines_tests.torture.cases import DECISIONS, KINDS, Case
from platform_pipelines_tests.torture.matrix import Attack
from platform_pipelines_tests.torture.rare import DELETES, REFUSED, SWEPT
from platform_pipelines_tests.torture.site import TABLE, Contents, Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.engine import Project

#: `pipelines check` refuses replace, of a table as of a partition
API_MODES = ("append", "merge", "update", "delete")
#: id of a row that comes in the run under attack
_REFUSED = 10
#: each mode and each kind of run at least once
API_CASES = [
    Case("http", "append", "first"),
    Case("http", "append", "replay"),
    Case("http", "append", "full_refresh"),
    Case("http", "merge", "incremental"),
    Case("http", "merge", "reset"),
    Case("http", "merge", "full_refresh"),
    Case("http", "merge", "backfill"),
    Case("http", "merge", DELETES),
    Case("http", "update", "backfill"),
    Case("http", "update", "incremental"),
    Case("http", "delete", "incremental"),
    Case("http", "delete", "new_column"),
    Case("http", "append", SWEPT),
    Case("http", "append", REFUSED),
]


@dataclass
class ApiSite(Site):
    """A project in a folder that writes to an API.

    Attributes:
        sink: the API.
        path: of its table.
    """

    sink: Sink = field(default_factory=Sink)
    path: str = "/contacts/{id}"
    _before: tuple[Any, ...] = ()

    def connectors(self) -> dict[str, Connector]:
        api = {
            "type": "http",
            "base_url": self.sink.api.url,
            "state": str(self.root / "state"),
            "concurrency": 1,
            "tables": {TABLE: {"path": self.path}},
        }
        return super().connectors() | {"http": HttpConnector.model_validate(api)}

    def _http(self) -> Contents:
        """The records, each with how often it was written: more than once for one key, and it was doubled."""
        written = {name: json.dumps(record, sort_keys=True) for name, record in self.sink.stored.items()}
        return Counter((name, times, written.get(name)) for name, times in self.sink.applied.items())

    def keep(self) -> None:
        super().keep()
        self._before = self.sink.snapshot()

    def restore(self) -> None:
        super().restore()
        self.sink.restore(self._before)

    def behind(self, project: Project) -> list[str]:  # noqa: ARG002 - the log keeps the offset of an API
        found = []
        for log in self.logs():
            epoch = log.live_epoch()
            last = log.last(epoch) if epoch is not None else None
            if last is None or log.offset("http") != last.offset:
                found.append(f"http of {log.feed.id}: {log.offset('http')}")
        return found

    def orphans(self) -> list[str]:
        return [path for path in super().orphans() if not path.endswith("/offsets/http.json")]


def all_api_cases() -> list[Case]:
    """Every combination that an API can be written by."""
    usual = [Case("http", *names) for names in itertools.product(API_MODES, KINDS)]
    decisions = [Case("http", *names) for names in itertools.product(("append", "merge"), DECISIONS)]
    rare = (Case("http", mode, kind) for mode in ("append", "merge") for kind in (SWEPT, REFUSED))
    return [*usual, *decisions, *rare, Case("http", "merge", DELETES)]


@contextlib.contextmanager
def attack_on_api(case: Case, root: Path) -> Iterator[Attack]:
    """An attack on a case of an API, which is there meanwhile."""
    (root / "site").mkdir(parents=True)
    path = "/contacts" if case.mode == "append" else "/contacts/{id}"
    with Sink() as sink:
        if case.kind == REFUSED:
            sink.refuses = lambda record: "no" if record["id"] == _REFUSED else None
        attack = Attack.on(case, ApiSite(root / "site", "", case.targets, sink=sink, path=path))
        yield attack
        attack.close()

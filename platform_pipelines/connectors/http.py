"""HTTP APIs as a destination: one request for each record, or for many.

An API keeps no offsets and knows no transactions, so the landing log keeps the
offset, and a journal beside it what became of each record. Templates, requests,
answers and the journal each have a module ``http_…`` of their own,
authentication and retries ``platform_pipelines.http``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from platform_pipelines.connectors.base import Connector
from platform_pipelines.connectors.http_journal import journal
from platform_pipelines.connectors.http_models import NO_KEY, HttpTable
from platform_pipelines.connectors.http_records import records
from platform_pipelines.connectors.http_send import Operation, Plan, Sender
from platform_pipelines.connectors.http_template import check_names, has_places
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.http.exchange import Request
from platform_pipelines.http.settings import HttpSettings

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.connectors.http_models import Method
    from platform_pipelines.model import Feed, Load, Mode, Offset, Receipt

_METHODS: dict[Mode, Method] = {"append": "POST", "merge": "PUT", "update": "PATCH", "delete": "DELETE"}
#: times that a check asks again at most
_CHECKS = 2


class HttpConnector(HttpSettings, Connector):
    """An HTTP API that records are written to.

    Attributes:
        ping: path that ``check`` asks with GET; any answer but a refusal of the credentials is good.
        tables: how records of each table are written.
    """

    modes: ClassVar[frozenset[Mode]] = frozenset({"append", "merge", "update", "delete"})
    paths: ClassVar[frozenset[str]] = frozenset({"state"})
    durable: ClassVar[bool] = False
    atomic: ClassVar[bool] = False
    compares: ClassVar[bool] = False

    type: Literal["http"] = "http"
    ping: str = ""
    tables: dict[str, HttpTable] = Field(min_length=1)

    @classmethod
    def table_names(cls, config: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Those that ``tables`` declares."""
        declared = config.get("tables")
        return tuple(declared) if isinstance(declared, Mapping) else None

    def check(self) -> None:
        """Ask once, as who checks does not wait long."""
        patience = self.retries.model_copy(update={"max": min(self.retries.max, _CHECKS)})
        good = frozenset(range(300, 500)) - {401, 403}
        with self.model_copy(update={"retries": patience}).client() as client:
            client.send(Request("GET", self.ping), allow=good)

    def offset(self, feed: Feed, table: str) -> Offset | None:  # noqa: ARG002 - the contract's signature
        """None always: nothing is kept there."""
        return None

    def load(self, load: Load, batches: pa.RecordBatchReader) -> Receipt:
        """Send each record that no earlier attempt had an answer to."""
        plan = self._plan(load)
        _refuse_what_cannot_be(load)
        if self.state is None:
            msg = "The connector has no folder for its journal. Set `state`."
            raise SpecError(msg)
        threads = min(load.threads, self.concurrency)
        with journal(self.state, self.base_url, load) as kept, self.client() as client:
            return Sender(client, plan, load, kept, threads).send(records(load, batches))

    def _plan(self, load: Load) -> Plan:
        table = self._table(load.table)
        where = f"Table `{load.table}`"
        write = _found_gone(table, load) if load.own else _writing(table, load)
        delete = write if load.mode == "delete" else _deleting(table)
        deletes = load.mode == "delete" or (load.delete_field is not None and load.delete_action == "hard")
        if deletes and not _is_about_one(delete):
            raise SpecError(_about_all(where, "deleted", "`path`, `delete.path` or `delete.body`", delete))
        if load.own and not deletes and not has_places(write.path):
            raise SpecError(_about_all(where, "marked as deleted", "`path`", write))
        check_names([write.path, write.body, delete.path, delete.body], load.schema.names, where)
        header = None if table.idempotency == NO_KEY else table.idempotency
        params = tuple(table.params.items())
        return Plan(write, delete, table.results, header, table.headers, params, table.omit_nulls)

    def _table(self, name: str) -> HttpTable:
        found = self.tables.get(name)
        if found is None:
            near = difflib.get_close_matches(name, self.tables, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            msg = f"Table `{name}` is not declared in this connector.{hint} Tables: {', '.join(self.tables)}."
            raise SpecError(msg)
        return found


def _writing(table: HttpTable, load: Load) -> Operation:
    method = table.method or _METHODS[load.mode]
    return Operation(
        method,
        table.path,
        table.body,
        bare=method == "DELETE" and table.batch is None,
        batch=table.batch,
        absent=frozenset(table.missing) if load.mode in {"update", "delete"} else frozenset(),
        existing=frozenset(table.existing),
    )


def _found_gone(table: HttpTable, load: Load) -> Operation:
    """How keys found gone at the source are sent to a table that is written in another way: one request each.

    All that is known of such a record is its key, and the mark where it is to be marked.
    """
    if load.mode == "delete":
        return _deleting(table)
    return Operation("PATCH", table.path, None, absent=frozenset(table.missing))


def _deleting(table: HttpTable) -> Operation:
    """How rows of a write that are deletes are sent: one request each."""
    said = table.delete
    return Operation(
        said.method if said else "DELETE",
        said.path if said and said.path else table.path,
        said.body if said else None,
        bare=True,
        absent=frozenset(table.missing),
    )


def _about_all(where: str, done: str, places: str, operation: Operation) -> str:
    return (
        f"{where} does not say which record is to be {done}: {operation.method} {operation.path} would be about all "
        f"of them. Name a column in {places}, such as `/contacts/{{id}}`."
    )


def _is_about_one(operation: Operation) -> bool:
    return has_places(operation.path) or operation.batch is not None or not (operation.bare and operation.body is None)


def _refuse_what_cannot_be(load: Load) -> None:
    """Refuse loads that would leave the API with other records than the log says.

    Raises:
        InvalidData: the load would take back what only a database can.
    """
    if load.fresh and load.previous is not None and load.mode == "append" and not load.allow_destructive:
        msg = (
            f"{load.feed.id} is read anew, but `{load.table}` has its records already, and what an API was sent cannot "
            "be taken back: all would be there twice. Load with mode merge, or run with --allow-destructive to send "
            "them all again."
        )
        raise InvalidData(msg)
    if load.own and load.feed.partition is not None:
        msg = (
            f"Keys of partition {load.feed.partition} are gone at the source, but an API does not say whether another "
            "partition has them now. Remove `deletes.detect`, or the partitions, and start over: "
            f"`pipelines run {load.feed.pipeline} --full-refresh`."
        )
        raise InvalidData(msg)

"""Sends the records of one load, several requests at once, and keeps what became of each.

A request of many records that is refused as a whole is sent again in halves, down to
the records that are at fault. Chunks depend on the rows alone, so a run that goes
on after a crash sends the same requests under the same keys.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.http_journal import Outcome
from platform_pipelines.connectors.http_records import body_columns
from platform_pipelines.connectors.http_results import outcomes_of, refusal
from platform_pipelines.connectors.http_template import KEY, RECORDS, Unfit, fill, has_places, path, without_nulls
from platform_pipelines.errors import InvalidData
from platform_pipelines.http.exchange import Request
from platform_pipelines.model import Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from concurrent.futures import Future

    import pyarrow as pa

    from platform_pipelines.connectors.http_journal import Journal
    from platform_pipelines.connectors.http_models import Batch, Method, Results
    from platform_pipelines.connectors.http_records import Record
    from platform_pipelines.http.client import Client
    from platform_pipelines.http.exchange import Response
    from platform_pipelines.model import Load

#: statuses about the request's sender, path or time, not about its records
_NOT_OURS = frozenset({401, 403, 405, 407, 408, 425, 429})
_REFUSING = frozenset(range(400, 500)) - _NOT_OURS
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Operation:
    """How records are sent.

    Attributes:
        method: of the request.
        path: template.
        body: template of one record; None for all columns, or for no body where ``bare``.
        bare: whether a request without a template has no body.
        batch: how many go in one request; None for one each.
        absent: statuses that say that there is no such record.
        existing: statuses that say that the record is there already.
    """

    method: Method
    path: str
    body: Any
    bare: bool = False
    batch: Batch | None = None
    absent: frozenset[int] = frozenset()
    existing: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """How the records of a table are sent: written, or deleted where the row says so."""

    write: Operation
    delete: Operation
    results: Results
    header: str | None
    headers: Mapping[str, str]
    params: tuple[tuple[str, str], ...]
    omit_nulls: bool = False


@dataclass
class _Counts:
    staged: int = 0
    done: int = 0
    absent: int = 0
    bytes: int = 0
    refused: list[pa.RecordBatch] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


class Sender:
    """One load on its way to the API.

    Args:
        client: sends requests.
        plan: how.
        load: the load.
        journal: what became of its records so far.
        threads: requests under way at once at most.
    """

    def __init__(self, client: Client, plan: Plan, load: Load, journal: Journal, threads: int) -> None:
        self._client = client
        self._plan = plan
        self._load = load
        self._journal = journal
        self._threads = threads
        self._counts = _Counts()
        self._stopped = threading.Event()

    def send(self, records: Iterable[Record]) -> Receipt:
        """Send them all.

        Raises:
            ConnectError: the API cannot be reached or keeps failing; what was answered so far is kept.
            InvalidData: an answer cannot be understood, or a record is refused and `on_error` is stop.
        """
        waiting: deque[tuple[list[Record], Future[None]]] = deque()
        pool = ThreadPoolExecutor(self._threads)
        try:
            for chunk in self._chunks(records):
                waiting.append((chunk, pool.submit(self._work, chunk)))
                while len(waiting) > self._threads * _AHEAD:
                    self._settle(*waiting.popleft())
            while waiting:
                self._settle(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return self._receipt()

    def _chunks(self, records: Iterable[Record]) -> Iterable[list[Record]]:
        """Records that go in one request: writes and deletes by themselves."""
        held: dict[bool, list[Record]] = {False: [], True: []}
        for record in records:
            operation = self._operation(record)
            held[record.deletes].append(record)
            if len(held[record.deletes]) >= (self._load.batch_size if operation.batch else 1):
                yield held[record.deletes]
                held[record.deletes] = []
        yield from filter(None, held.values())

    def _operation(self, record: Record) -> Operation:
        return self._plan.delete if record.deletes else self._plan.write

    def _work(self, chunk: list[Record]) -> None:
        try:
            self._send(chunk)
        except BaseException:
            self._stopped.set()
            raise

    def _send(self, chunk: list[Record]) -> None:
        unfit = [Outcome(each.key, "refused", each.problem) for each in chunk if each.problem is not None]
        self._keep([each for each in unfit if each.key not in self._journal.known])
        self._advance([each for each in chunk if each.problem is None])

    def _advance(self, records: list[Record]) -> None:
        """Send what is not known to have been answered; a request that was halved before is halved again."""
        missing = sum(record.key not in self._journal.known for record in records)
        if not missing or self._stopped.is_set():
            return
        if missing == len(records):
            try:
                outcomes = self._ask(records)
            except Unfit as unfit:
                outcomes = [Outcome(records[0].key, "refused", str(unfit))] if len(records) == 1 else None
            if outcomes is not None:
                self._keep(outcomes)
                return
        middle = len(records) // 2
        self._advance(records[:middle])
        self._advance(records[middle:])

    def _ask(self, records: list[Record]) -> list[Outcome] | None:
        """One request; None where many records were refused as a whole."""
        operation = self._operation(records[0])
        response = self._client.send(self._request(operation, records), allow=_REFUSING)
        if response.status < HTTPStatus.BAD_REQUEST:
            return outcomes_of(response, records, self._plan.results, batch=operation.batch is not None)
        if len(records) > 1:
            return None
        return [self._refused(operation, records[0], response)]

    def _refused(self, operation: Operation, record: Record, response: Response) -> Outcome:
        if response.status in operation.existing:
            return Outcome(record.key, "done")
        if response.status in operation.absent and has_places(operation.path):
            return Outcome(record.key, "absent")
        if response.status == HTTPStatus.NOT_FOUND and not has_places(operation.path):
            msg = f"{response.shown_url} answered 404: there is no such path. Mend `base_url` or `path`."
            raise InvalidData(msg)
        return Outcome(record.key, "refused", refusal(response))

    def _request(self, operation: Operation, records: list[Record]) -> Request:
        plan, first = self._plan, records[0]
        bodies = [self._body(operation, record) for record in records]
        body = bodies[0] if operation.batch is None else fill(operation.batch.body, {RECORDS: bodies})
        headers = dict(plan.headers)
        if plan.header is not None:
            keys = [self._journal.sent_as(record.key) for record in records]
            headers[plan.header] = keys[0] if operation.batch is None else _together(keys)
        return Request(
            operation.method,
            path(operation.path, first.values),
            params=plan.params,
            headers=headers,
            json=body,
            repeatable=plan.header is not None or operation.method in {"PUT", "DELETE"},
        )

    def _body(self, operation: Operation, record: Record) -> Any:  # noqa: ANN401 - any JSON value
        if operation.body is None and operation.bare:
            return None
        template = operation.body
        if template is None:
            body: Any = {name: record.values[name] for name in body_columns(record.row.schema.names)}
        else:
            body = fill(template, {**record.values, KEY: self._journal.sent_as(record.key)})
        return without_nulls(body) if self._plan.omit_nulls else body

    def _keep(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what became of the records.

        Raises:
            InvalidData: one was refused, and ``on_error`` is stop.
        """
        refused = next((each for each in outcomes if each.status == "refused"), None)
        stops = refused is not None and self._load.on_error == "stop"
        kept = [each._replace(status="stopped") if stops and each.status == "refused" else each for each in outcomes]
        if kept:
            self._journal.add(kept)
        if stops and refused is not None:
            msg = (
                f"`{self._load.table}` refuses a record of {self._load.feed.id}: {refused.reason.rstrip('.')}. "
                "Nothing more is sent, for `on_error` is stop. Mend the record or the table's declaration and run "
                "again, or write `on_error: continue`, which makes a dead letter of it."
            )
            raise InvalidData(msg)

    def _settle(self, chunk: list[Record], work: Future[None]) -> None:
        work.result()
        if self._stopped.is_set():  # another chunk has failed, and says why when its turn comes
            return
        counts = self._counts
        for record in chunk:
            outcome = self._journal.known[record.key]
            counts.staged += 1
            counts.bytes += record.row.nbytes
            counts.done += outcome.status == "done"
            counts.absent += outcome.status == "absent"
            if outcome.status == "refused":
                counts.refused.append(_copied(record.row))
                counts.reasons.append(outcome.reason)

    def _receipt(self) -> Receipt:
        import pyarrow as pa

        counts, refused = self._counts, None
        if counts.refused:
            table = pa.Table.from_batches(counts.refused)
            refused = table.append_column("_pipelines_reason", pa.array(counts.reasons, pa.string()))
        return Receipt(counts.staged, counts.done, counts.absent, counts.bytes, refused=refused)


def _together(keys: Sequence[str]) -> str:
    """The key of a request of many records."""
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def _copied(row: pa.RecordBatch) -> pa.RecordBatch:
    """The row by itself, which holds on to no others."""
    return row.take([0])

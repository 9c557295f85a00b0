"""The records of one run, read back from the landing log: landed, loaded, rejected.

The log is immutable, so these are the same whenever they are read. Nothing is
written here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines.model import Offset
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.rows import to_rows
from platform_pipelines.store.passed import passed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from platform_pipelines.api.callbacks import Record
    from platform_pipelines.engine import Project
    from platform_pipelines.model import Feed
    from platform_pipelines.spec import PipelineSpec
    from platform_pipelines.store import Manifest, Verdict
    from platform_pipelines.store.runs import Entry

_ROWS = 1000
_BOOKKEEPING = "_pipelines_"


@dataclass
class RunRecords:
    """What one run landed, judged and loaded.

    Attributes:
        project: where the landing log is.
        pipeline: what ran.
        token: the run's.
    """

    project: Project
    pipeline: PipelineSpec
    token: str
    _read: list[Entry] = field(default_factory=list, repr=False)

    def feeds(self) -> list[Feed]:
        """Feeds this run worked on, in the order of its record."""
        keys = dict.fromkeys(
            entry.body["partition"] for entry in self._entries() if entry.stage in {"landing", "validated", "load"}
        )
        known = {feed.key: feed for feed in self.project.store.feeds(self.pipeline.name)}
        return [known[key] for key in keys if key in known]

    def landed(self, feed: Feed) -> list[Manifest]:
        """Batches this run landed, in their order."""
        log = self.project.store.feed(feed)
        offsets = (Offset(e, s) for e in reversed(log.epochs()) for s in reversed(log.sequences(e)))
        return self._own(log.manifest(offset.epoch, offset.sequence) for offset in offsets)

    def judged(self, feed: Feed) -> list[Verdict]:
        """Batches this run judged for good, in their order."""
        log = self.project.store.feed(feed)
        offsets = (Offset(e, s) for e in reversed(log.epochs()) for s in sorted(log.sealed(e), reverse=True))
        return self._own(log.verdict(offset.epoch, offset.sequence) for offset in offsets)

    def loaded(self, feed: Feed, destinations: Sequence[str]) -> list[Verdict]:
        """Batches that every one of ``destinations`` took in this run, whichever run had landed them."""
        taken = [self._batches_loaded(feed, name) for name in destinations]
        log = self.project.store.feed(feed)
        epoch = log.live_epoch()
        number = min(taken, default=0)
        if epoch is None or not number:
            return []
        verdicts = [log.verdict(epoch, sequence) for sequence in sorted(log.sealed(epoch))[-number:]]
        return [verdict for verdict in verdicts if verdict is not None]

    def is_held(self, feed: Feed) -> bool:
        """Whether the gate holds a batch of the feed."""
        log = self.project.store.feed(feed)
        epoch = log.live_epoch()
        return epoch is not None and log.held(epoch) is not None

    def start_rows(self, feed: Feed, manifest: Manifest) -> Iterator[Record]:
        """The records of a landed batch, unreadable ones as far as they could be read."""
        log = self.project.store.feed(feed)
        yield from _rows(RowFiles(tuple(log.paths(manifest.epoch, manifest.files))))
        rejects = [manifest.rejects] if manifest.rejects else []
        for row in _rows(RowFiles(tuple(log.paths(manifest.epoch, rejects)))):
            yield _parsed(row["record"])

    def loaded_rows(self, feed: Feed, verdict: Verdict, columns: Sequence[str] | None = None) -> Iterator[Record]:
        """The rows of a batch as destinations load them."""
        return _rows(passed(self.project.store.feed(feed), verdict), columns)

    def dead(self, feed: Feed | None = None, verdict: Verdict | None = None) -> Iterator[dict[str, Any]]:
        """Dead letters of this run: ``{record, rule, reason, …}`` each; of one feed or batch if it is given."""
        from platform_pipelines.engine.deadletters import letters

        for each in [feed] if feed is not None else self.feeds():
            log = self.project.store.feed(each)
            for judged in [verdict] if verdict is not None else self.judged(each):
                yield from letters(log, judged)

    def ids(self) -> Iterator[Any]:
        """Keys of the rows loaded by the first destination that has a key, each once."""
        keyed = next((each for each in self.pipeline.destinations if each.key), None)
        if keyed is None:
            return
        seen = set()
        for feed in self.feeds():
            for verdict in self.loaded(feed, [keyed.name]):
                for row in self.loaded_rows(feed, verdict, keyed.key):
                    key = tuple(row[name] for name in keyed.key)
                    if key not in seen:
                        seen.add(key)
                        yield key[0] if len(key) == 1 else key

    def _own(self, newest_first: Iterator[Any]) -> list[Any]:
        """What bears this run's token; tokens sort by time, so the search ends at the first older one."""
        own = []
        for each in newest_first:
            if each is None or each.token < self.token:
                break
            if each.token == self.token:
                own.append(each)
        return own[::-1]

    def _batches_loaded(self, feed: Feed, destination: str) -> int:
        bodies = [entry.body for entry in self._entries() if entry.stage == "load"]
        return sum(
            body["batches"] for body in bodies if body["partition"] == feed.key and body["destination"] == destination
        )

    def _entries(self) -> list[Entry]:
        """The run's record so far; each entry is read once."""
        last = self._read[-1].file if self._read else ""
        self._read += self.project.store.runs.entries(self.pipeline.name, self.token, after=last)
        return self._read


def _rows(stored: RowFiles, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    left_out = stored.masks()
    for number, path in enumerate(stored.paths):
        with pq.ParquetFile(path) as file:
            wanted = columns or [name for name in file.schema_arrow.names if not name.startswith(_BOOKKEEPING)]
            batches = file.iter_batches(batch_size=_ROWS, columns=list(wanted))
            yield from _counting(batches, left_out.get(number))


def _counting(batches: Iterator[pa.RecordBatch], left_out: bytearray | None) -> Iterator[dict[str, Any]]:
    """The rows of one file but for those that are left out."""
    import pyarrow as pa

    done = 0
    for batch in batches:
        end = done + batch.num_rows
        yield from to_rows(batch if left_out is None else batch.filter(pa.array([not x for x in left_out[done:end]])))
        done = end


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text)
    except ValueError:
        return text

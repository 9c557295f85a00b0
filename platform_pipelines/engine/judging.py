"""Judge one batch: contract, transforms, rules, gate; rows to load and dead letters.

What each of these means is left to ``quality`` and ``transforms``; here is only
their order, and where their rows go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.engine.approval import too_low
from platform_pipelines.engine.context import Progress, stamp, utc_now
from platform_pipelines.engine.holdings import holdings
from platform_pipelines.engine.observations import history
from platform_pipelines.engine.outlet import Outlet
from platform_pipelines.engine.reference import references
from platform_pipelines.engine.relation import prepare
from platform_pipelines.quality import gate
from platform_pipelines.rowsql import rows_in
from platform_pipelines.spec.rules import WHOLE_BATCH
from platform_pipelines.store import Verdict
from platform_pipelines.transforms.metadata import carry_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import pyarrow as pa

    from platform_pipelines.engine.approval import Ruling
    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.relation import Prepared
    from platform_pipelines.quality.judgement import Judgement
    from platform_pipelines.spec import QualitySpec
    from platform_pipelines.store import FeedLog, Manifest

_CHUNK = 65_536

_DISCARDED = (
    "'discarded' as _pipelines_rule, ['discarded'] as _pipelines_rules, "
    "'the held batch was discarded' as _pipelines_reason"
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict not yet sealed.

    Attributes:
        verdict: what it says.
        sample: of its rows.
        agreed: the schema it was judged under; None where none is to be agreed on.
        figures: what ``anomaly`` rules measured.
        asks: whether it is held for its score, so that a person is to be asked.
    """

    verdict: Verdict
    sample: tuple[dict[str, Any], ...] = ()
    agreed: pa.Schema | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    asks: bool = False

    def agree(self, context: Context) -> None:
        """Record the schema as agreed upon, once the verdict is sealed."""
        if self.agreed is not None:
            schemas = context.project.store.schemas(context.pipeline.name)
            schemas.record(self.agreed, context.token, stamp())


def judge_batch(context: Context, log: FeedLog, manifest: Manifest, ruling: Ruling | None = None) -> Judged:
    """Judge a landed batch; the files it writes belong to nothing until the verdict is sealed.

    Raises:
        SchemaDrift: the schema contract refuses a change.
        InvalidData: a required transform failed.
    """
    if manifest.kind == "rewind":
        return _nothing_to_judge(context, log, manifest)
    if manifest.kind == "deletes":
        return _keys_alone(context, log, manifest)
    with duck.session(len(manifest.schema or ())) as connection:
        prepared = prepare(context, log, manifest, connection)
        outlet = Outlet(context, log, manifest, lambda after: _restore(manifest, prepared, after))
        bench = _Bench(context, connection, manifest, prepared, outlet)
        try:
            bench.take_unread(log)
            if ruling is not None and ruling.decision == "discard":
                return bench.discard(ruling.reason)
            return bench.judge(ruling)
        except BaseException:
            outlet.abort()
            raise


def _nothing_to_judge(context: Context, log: FeedLog, manifest: Manifest) -> Judged:
    """The verdict on a batch that only takes the watermark back: no rows, under the columns of the rows before."""
    earlier = (n for n in range(manifest.sequence - 1, 0, -1) if log.manifest(manifest.epoch, n).kind != "deletes")
    before = next((log.verdict(manifest.epoch, n) for n in earlier), None)
    schema = before.schema if before else None
    return Judged(Verdict(manifest.epoch, manifest.sequence, "passed", context.token, stamp(), schema=schema))


def _keys_alone(context: Context, log: FeedLog, manifest: Manifest) -> Judged:
    """Keys to delete are keys of the destinations already: no transform and no rule is about them."""
    import pyarrow.parquet as pq

    verdict = Verdict(
        epoch=manifest.epoch,
        sequence=manifest.sequence,
        status="passed",
        token=context.token,
        created_at=stamp(),
        rows_in=manifest.rows,
        rows_out=manifest.rows,
        files=manifest.files,
        schema=pq.read_schema(log.paths(manifest.epoch, manifest.files)[0]),
    )
    return Judged(verdict)


def _restore(manifest: Manifest, prepared: Prepared | None, after: pa.Schema) -> pa.Schema:
    if prepared is None or manifest.schema is None:
        return after
    return carry_metadata(manifest.schema, after, prepared.transformed.origins)


@dataclass
class _Bench:
    """One batch on the bench."""

    context: Context
    connection: duckdb.DuckDBPyConnection
    manifest: Manifest
    prepared: Prepared | None
    outlet: Outlet
    unread: int = 0

    def take_unread(self, log: FeedLog) -> None:
        """Records that never became rows: those the source rejected, and those a transform could not convert."""
        if self.manifest.rejects:
            (path,) = log.paths(self.manifest.epoch, [self.manifest.rejects])
            self._unread(f"select record, rule, reason from {rows_in([path])}")
        for rejects in self.prepared.rejects if self.prepared else ():
            assert self.manifest.schema is not None  # noqa: S101 - there were rows
            reader = self.connection.execute(f"from {duck.quote(rejects.relation)}").to_arrow_reader(_CHUNK)
            self.unread += self.outlet.stopped(reader, self.manifest.schema, rejects)

    def judge(self, ruling: Ruling | None) -> Judged:
        """Let the rules speak; a ruling lets a closed gate, or a low score alone, through."""
        quality = self.context.pipeline.quality
        if self.prepared is None or self._passes_untouched(quality):
            return self._pass_through()
        judgement = self._run_rules(quality)
        everything = replace(
            judgement, rows_in=judgement.rows_in + self.unread, rejected=judgement.rejected + self.unread
        )
        closed, low = gate.closes(quality.gate, everything), too_low(quality, judgement.score)
        lenient = self.manifest.kind == "replay" or (ruling is not None and ruling.decision == "release")
        stopped = None if lenient else closed or (low if ruling is None else None)
        verdict = self._verdict(judgement)
        if stopped:
            self.outlet.abort()
            held = replace(verdict, status="held", reason=stopped)
            return Judged(held, self.outlet.sample, asks=closed is None)
        out = self.outlet.close()
        reason = "; ".join(each for each in (closed or low, ruling.reason if ruling else None) if each)
        files = self.manifest.files if self.prepared.placed else out.good
        sealed = replace(verdict, reason=reason, files=files, left_out=out.left_out, dead=out.dead)
        sealed = replace(sealed, status="released" if ruling else "passed")
        return Judged(sealed, self.outlet.sample, self.prepared.agreed, judgement.figures)

    def discard(self, reason: str) -> Judged:
        """Drop the whole batch to the dead letters."""
        rows, schema = 0, None
        if self.prepared is not None:
            relation = duck.quote(self.prepared.transformed.relation)
            rows = self.prepared.transformed.rows
            # destinations load no row of it, but move on, and need columns for that
            unmarked = self.connection.execute(f"select * from {relation} limit 0").to_arrow_reader(_CHUNK).schema
            schema = _restore(self.manifest, self.prepared, unmarked)
            for batch in self.connection.execute(f"select *, {_DISCARDED} from {relation}").to_arrow_reader(_CHUNK):
                self.outlet.dead(batch)
        dead = self.outlet.close().dead
        verdict = replace(
            self._verdict(None), status="discarded", reason=reason or "discarded", dead=dead, schema=schema
        )
        return Judged(replace(verdict, rejected=rows + self.unread))

    def _passes_untouched(self, quality: QualitySpec) -> bool:
        if self.prepared is None or not self.prepared.unchanged:
            return False
        return not quality.before_load and quality.schema_path is None and not self.unread

    def _pass_through(self) -> Judged:
        """Without rules and transforms, the rows to load are the landed files themselves."""
        dead = self.outlet.close().dead
        agreed = self.prepared.agreed if self.prepared else None
        verdict = replace(
            self._verdict(None),
            files=self.manifest.files,
            rows_out=self.manifest.rows,
            filtered=0,
            rejected=self.unread,
            dead=dead,
            schema=self.manifest.schema,
        )
        return Judged(verdict, (), agreed)

    def _run_rules(self, quality: QualitySpec) -> Judgement:
        from platform_pipelines.quality.judge import Staying, judge  # a run without rules and transforms needs none

        assert self.prepared is not None  # noqa: S101 - the caller has looked
        placed = self.prepared.placed
        if self.manifest.kind == "replay":
            quality = row_rules_only(quality)
        judgement = judge(
            self.connection,
            self.prepared.transformed.relation,
            quality,
            cursor=self.prepared.transformed.cursor,
            lookup=references(self.context),
            now=utc_now(),
            sink_good=self.outlet.sampled if placed else self.outlet.good,
            sink_bad=self.outlet.dead,
            staying=Staying(placed, self.outlet.leave_out) if placed else None,
            holdings=holdings(self.context, self.manifest.feed, self.manifest.epoch),
            history=history(self.context, self.manifest.feed),
        )
        if placed:
            self.context.report(Progress("validate", self.manifest.feed, judgement.good, 0))
        return judgement

    def _verdict(self, judgement: Judgement | None) -> Verdict:
        transformed = self.prepared.transformed if self.prepared else None
        converted = self.unread - self.manifest.rejected
        rows = transformed.rows if transformed else 0
        schema = self.manifest.schema if self.prepared and self.prepared.placed else self.outlet.schema
        if schema is None and judgement is not None:
            schema = _restore(self.manifest, self.prepared, judgement.schema)
        return Verdict(
            epoch=self.manifest.epoch,
            sequence=self.manifest.sequence,
            status="passed",
            token=self.context.token,
            created_at=stamp(),
            rows_in=self.manifest.rows + self.manifest.rejected,
            rows_out=judgement.good if judgement else 0,
            filtered=self.manifest.rows - converted - rows,
            rejected=(judgement.rejected if judgement else 0) + self.unread,
            flagged=judgement.flagged if judgement else 0,
            score=judgement.score if judgement else 1.0,
            rules=judgement.rules if judgement else (),
            transforms=transformed.outcomes if transformed else (),
            schema=schema,
        )

    def _unread(self, sql: str) -> None:
        for batch in self.connection.execute(sql).to_arrow_reader(_CHUNK):
            self.unread += batch.num_rows
            self.outlet.unread(batch)


def row_rules_only(quality: QualitySpec) -> QualitySpec:
    """The quality section without rules about a whole batch, which a replay or a preview is not."""
    rules = tuple(rule for rule in quality.rules if rule.type not in WHOLE_BATCH)
    return quality.model_copy(update={"rules": rules})

"""``python``: a text that turns one record into one record, run in a process that can do nothing else.

Only the columns that the text can touch travel to that process, and only those
it changed travel back. A record is a dict; ``return record`` keeps it, ``return
None`` drops it, and one that raises is rejected with the text's line. What the
text may say and how the process is locked up is left to ``isolated``.
NULL semantics: NULL is None, in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.isolated.language import compile_text
from platform_pipelines.isolated.limits import Limits
from platform_pipelines.relations import count, unused_name
from platform_pipelines.transforms.record_columns import packed, sent
from platform_pipelines.transforms.record_table import OURS, RecordTable, Slice
from platform_pipelines.transforms.step import Built, Step, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.isolated.language import Program

_EXAMPLE = "record['email'] = record['email'].lower()\nreturn record"
#: rows of one chunk at most, of the first one, and the bytes aimed at
_ROWS = 20_000
_FIRST_ROWS = 2_000
_BYTES = 4_000_000


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    compile_text(text(body, "`python`", _EXAMPLE))


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    program = compile_text(text(step.body, "`python`", _EXAMPLE))
    return _Records(step, program).built()


@dataclass
class _Failed:
    """Records that raised, kept for the dead letters."""

    step: Step
    relation: str | None = None

    def add(self, part: Slice, reasons: dict[int, str]) -> None:
        import pyarrow as pa

        if not reasons:
            return
        rule, connection = literal(f"transform:{self.step.label}"), self.step.connection
        rows, said = zip(*sorted(reasons.items()), strict=True)
        table = pa.table({"row": [part.first + row for row in rows], "reason": said})
        name = unused_name("failed")
        connection.register(name, table)
        sql = (
            f"select s.*, {rule} as _pipelines_rule, [{rule}] as _pipelines_rules, f.reason as _pipelines_reason "
            f"from {quote(part.table)} s join {quote(name)} f on s.rowid = f.row order by f.row"
        )
        if self.relation is None:
            self.relation = self.step.table(sql)
        else:
            connection.execute(f"insert into {quote(self.relation)} {sql}")
        connection.unregister(name)


class _Records:
    """One batch on its way through the child."""

    def __init__(self, step: Step, program: Program) -> None:
        self._step = step
        self._program = program
        usage = program.usage
        own = {name for name in step.columns if name.startswith(OURS)}
        touched = step.columns.keys() - own if usage.columns is None else usage.columns & step.columns.keys()
        passing = step.columns.keys() - touched if usage.passes else own
        self._sent = [sent(name, kind) for name, kind in step.columns.items() if name in touched]
        self._source = step.table(f"from {quote(step.source)}")
        self._table = RecordTable(step, frozenset(passing))
        self._failed = _Failed(step)
        self._rows = _FIRST_ROWS

    def built(self) -> Built:
        """Run every record and put the results together."""
        from platform_pipelines.isolated.process import Sandbox

        parts: list[Slice] = []
        with Sandbox(self._program, Limits.from_environment()) as sandbox:
            for place, (header, buffers) in enumerate(sandbox.answers(self._chunks(parts))):
                self._take(parts[place], header, buffers)
        table = self._table
        return Built(table.relation(), table.untouched, table.cursor, rejects=self._failed.relation)

    def _chunks(self, parts: list[Slice]) -> Iterator[tuple[dict[str, Any], list[bytes]]]:
        total, first = count(self._step.connection, self._source), 0
        while first < total:
            part = Slice(self._source, first, min(first + self._rows, total))
            parts.append(part)
            yield self._packed(part)
            first = part.end

    def _packed(self, part: Slice) -> tuple[dict[str, Any], list[bytes]]:
        picked = [f"{column.sql} as {quote(f'value {place}')}" for place, column in enumerate(self._sent)]
        picked += [f"{c.text} as {quote(f'text {place}')}" for place, c in enumerate(self._sent) if c.text]
        headers: list[dict[str, Any]] = []
        buffers: list[bytes] = []
        if picked:
            table = self._step.connection.execute(f"select {', '.join(picked)} from ({part.sql})").to_arrow_table()
            headers, buffers = packed(self._sent, table)
        rows = part.end - part.first
        size = sum(map(len, buffers)) / rows
        self._rows = max(1, min(_ROWS, int(_BYTES / size) if size else _ROWS))
        return {"rows": rows, "columns": headers}, buffers

    def _take(self, part: Slice, header: dict[str, Any], buffers: list[bytes]) -> None:
        from platform_pipelines.transforms.record_values import read_answer

        answer = read_answer(header, buffers, part.end - part.first)
        unknown = [each.name for each in answer.columns if each.array is None and each.name not in self._step.columns]
        if unknown:
            msg = f"the process that runs the text kept `{unknown[0]}`, which is no column."
            raise InvalidData(msg)
        misfits = self._table.add(part, answer.keep, answer.columns)
        self._failed.add(part, answer.failed | misfits)

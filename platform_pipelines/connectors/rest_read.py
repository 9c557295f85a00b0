"""Reads a stream: pages to disk until the types of all are known, then rows of the window.

Where the order is declared, pages go on as they come, each with a place from
which a restart may go on. Fetching is left to ``rest_fetch``, typing to ``formats``.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from platform_pipelines.connectors.rest_clock import capped
from platform_pipelines.errors import SchemaDrift
from platform_pipelines.formats.json_convert import convert
from platform_pipelines.formats.json_spool import PageSpool, alike
from platform_pipelines.formats.json_types import PageTypes
from platform_pipelines.formats.memory_merge import select
from platform_pipelines.formats.workspace import Workspace
from platform_pipelines.model import Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from platform_pipelines.connectors.rest_fetch import Fetched
    from platform_pipelines.connectors.rest_models import RestStream
    from platform_pipelines.connectors.rest_resume import Place
    from platform_pipelines.formats.json_convert import Target
    from platform_pipelines.model import Rejected, Stream, Window

#: pages whose values are looked at together; from the first ones the types of an ordered read are learned
_FIRST_PAGES = 20


def whole(pages: Iterator[Fetched], spec: RestStream, stream: Stream, window: Window) -> Iterator[Page]:
    """All pages in the types that hold the values of all of them; nothing is given before the last one came.

    Raises:
        InvalidData: see ``rest_fetch`` and ``PageTypes``.
        SchemaDrift: values do not fit the types landed before, and the contract says `fail`.
    """
    workspace = Workspace()
    try:
        yield from _settled(pages, spec, stream, window, PageSpool(workspace))
    finally:
        workspace.close()


def _settled(
    pages: Iterator[Fetched], spec: RestStream, stream: Stream, window: Window, spool: PageSpool
) -> Iterator[Page]:
    import pyarrow as pa

    types, began = _types(spec, stream, stream.expected), None
    unseen: list[pa.RecordBatch] = []
    for fetched in pages:
        began = began or fetched.began
        if fetched.page.rejected:
            yield Page((), rejected=_named(fetched))
        batch = fetched.page.batch
        if batch.num_rows:
            if unseen and (len(unseen) == _FIRST_PAGES or not alike(batch.schema, unseen[0].schema)):
                types.look(pa.Table.from_batches(unseen))
                unseen = []
            unseen.append(batch)
            spool.add(batch)
    if unseen:
        types.look(pa.Table.from_batches(unseen))
    targets = types.settle(spool)
    window = capped(window, began, pa.schema([target.field for target in targets]))
    for table in spool.tables():
        batch, rejected = convert(table, targets)
        yield Page((_within(batch, window),), rejected=rejected)


def ordered(pages: Iterator[Fetched], spec: RestStream, stream: Stream, window: Window, place: Place) -> Iterator[Page]:
    """Pages as they come, in the order of the cursor; types are learned from what was landed and the first pages.

    Raises:
        InvalidData: the order is not what was declared.
        SchemaDrift: a later page has a field, or values, that the first ones had not.
    """
    import pyarrow as pa

    first = list(islice(pages, _FIRST_PAGES))
    targets: Sequence[Target] = _targets([each.page.batch for each in first], spec, stream, stream.expected)
    began = next((each.began for each in first if each.began), None)
    window = capped(window, began, pa.schema([target.field for target in targets]))
    for fetched in chain(first, pages):
        batch = fetched.page.batch
        if not batch.num_rows:
            if fetched.page.rejected:
                yield Page((), rejected=_named(fetched))
            continue
        targets = _kept(targets, batch, spec, stream, fetched.shown)
        yield place.page(batch, targets, window, _named(fetched), fetched.shown)


def _kept(
    targets: Sequence[Target], batch: pa.RecordBatch, spec: RestStream, stream: Stream, shown: str
) -> Sequence[Target]:
    """The targets of one more page, whose schema must be that of those before it."""
    import pyarrow as pa

    known = pa.schema([target.field for target in targets])
    again = _targets([batch], spec, stream, known)
    found = {target.name: target for target in again}
    changed = [target for target in again if target.name not in known.names or target.field != known.field(target.name)]
    if changed:
        listed = ", ".join(f"`{target.name}` {target.field.type}" for target in changed)
        msg = (
            f"{shown}: the page has what the first {_FIRST_PAGES} of this read had not: {listed}. What was landed "
            f"before is kept. Declare the columns: `types: {{{changed[0].name}: …}}`, or leave `order` out: then the "
            "types of all pages are known before the first one lands."
        )
        raise SchemaDrift(msg)
    return [found.get(target.name, target) for target in targets]


def _targets(
    batches: Sequence[pa.RecordBatch], spec: RestStream, stream: Stream, expected: pa.Schema | None
) -> tuple[Target, ...]:
    types, held = _types(spec, stream, expected), _Held(batches)
    for batch in batches:
        if batch.num_rows:
            types.look(batch)
    return types.settle(held)


class _Held:
    """A few pages in memory, in place of a spool."""

    def __init__(self, batches: Sequence[pa.RecordBatch]) -> None:
        self._batches = batches

    def tables(self) -> Iterator[pa.Table]:
        """One table for each page."""
        import pyarrow as pa

        for batch in self._batches:
            yield pa.Table.from_batches([batch])


def _types(spec: RestStream, stream: Stream, expected: pa.Schema | None) -> PageTypes:
    declared = {**spec.types, **stream.options.get("types", {})}
    return PageTypes(stream.name, declared, expected, stream.type_changes)


def _named(fetched: Fetched) -> tuple[Rejected, ...]:
    return tuple(replace(each, reason=f"{fetched.shown}: {each.reason}") for each in fetched.page.rejected)


def _within(batch: pa.RecordBatch, window: Window) -> pa.RecordBatch:
    """The rows of the window: an API may return more than it was asked for."""
    import pyarrow as pa

    chosen = select(pa.Table.from_batches([batch]), window).combine_chunks()
    found = chosen.to_batches()
    return found[0] if found else batch.slice(0, 0)

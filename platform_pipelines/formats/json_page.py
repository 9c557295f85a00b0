"""One page of a JSON API as an Arrow batch: the fastest reader that keeps every value exactly.

Measured on 200 pages of 1,000 records: Arrow's reader 0.36 s, orjson and
columns 0.60 s, Python's decoder with numbers as text several seconds. Arrow reads
what has neither long numbers nor objects that stay JSON; orjson the rest; where
digits would be lost or orjson refuses, Python's decoder reads record by record.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.formats.json_columns import Nested, columns
from platform_pipelines.formats.json_cut import cuts
from platform_pipelines.formats.json_numbers import all_doubles, all_machine, is_deep, long_numbers
from platform_pipelines.formats.json_records import Number, dump
from platform_pipelines.model import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

_RECORDS = "r"
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def _no_number(name: str) -> Any:  # noqa: ANN401 - the decoder's signature
    msg = f"{name} is not JSON"
    raise ValueError(msg)


_EXACT = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_no_number)


@dataclass(frozen=True, slots=True)
class JsonPage:
    """What a page holds.

    Attributes:
        envelope: the JSON around the records, as Python objects; the records themselves may be missing in it.
        batch: the records in the types that JSON has, see ``json_columns``.
        count: elements of the array, of whatever kind.
        rejected: elements that are no objects.
    """

    envelope: Any
    batch: pa.RecordBatch
    count: int
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """What a look at the bytes of a page tells.

    Attributes:
        numbers: those with more digits than a double surely keeps.
        plain: whether Arrow's reader keeps all values, and comes through.
    """

    numbers: list[bytes]
    plain: bool


class PageReader:
    """Reads pages of one stream; learns their shape as it goes.

    Args:
        nested: whether objects and arrays become structures or stay JSON.
        path: keys that lead to the records; None where only ``find`` knows.
        find: the array of records in a decoded page.
        spread: makes several records of one, where that is wanted; then ``path`` is None.
    """

    def __init__(
        self,
        nested: Nested,
        path: tuple[str, ...] | None,
        find: Callable[[Any], list[Any]],
        spread: Callable[[list[Any]], list[Any]] | None = None,
    ) -> None:
        self._nested = nested
        self.path = path
        self._find = find
        self._spread = spread
        self._texts: dict[str, pa.DataType] = {}
        self._order: dict[str, None] = {}
        self._arrow = True

    def survey(self, content: bytes) -> Survey:
        """Look at a page before it is read; another thread may."""
        numbers = long_numbers(content)
        return Survey(numbers, self.path is not None and self._arrow and _plain(content, numbers))

    def read(self, content: bytes, survey: Survey | None = None) -> JsonPage:
        """Read one page.

        Args:
            content: the page.
            survey: its survey, if somebody has taken it.

        Raises:
            ValueError: the text is no JSON, or cut off.
            LookupError: from ``find``: there are no records where they should be.
        """
        survey = survey or self.survey(content)
        if self.path is not None and self._arrow and survey.plain:
            for envelope, records in cuts(content, self.path):
                batch = self._by_arrow(records)
                if batch is not None:
                    return JsonPage(envelope, batch, batch.num_rows)
        return self._by_orjson(content) if all_machine(survey.numbers) else self._exactly(content)

    def _by_arrow(self, records: bytes) -> pa.RecordBatch | None:
        """The records, if Arrow reads them exactly; None if not."""
        import pyarrow as pa

        found = self._structs(records)
        if found is None or not found.type.num_fields:
            return None
        fields = list(found.type)
        if self._nested == "json" and any(pa.types.is_nested(field.type) for field in fields):
            self._arrow = False
            return None
        self._order.update(dict.fromkeys(field.name for field in fields))
        texts = {field.name: textual(field.type) for field in fields if _guessed(field.type)}
        if texts.keys() - self._texts.keys():
            self._texts |= texts
            return self._by_arrow(records)
        batch = pa.RecordBatch.from_struct_array(found)
        if not _finite(batch) or not _named(batch):
            return None
        # Arrow puts the columns whose types it was told first
        return batch.select([name for name in list(self._order) if name in batch.schema.names])

    def _structs(self, records: bytes) -> Any:  # noqa: ANN401 - an array of structures, or None
        """The records as one array, if that is all the text holds."""
        import pyarrow as pa

        if not records.isascii():
            try:
                records.decode()
            except UnicodeDecodeError:
                return None
        try:
            table = self._parse(records)
        except pa.ArrowInvalid:
            return None
        kind = table.schema.field(0).type
        alone = table.num_rows == 1 and table.column_names == [_RECORDS]
        if not alone or not pa.types.is_list(kind) or not pa.types.is_struct(kind.value_type):
            return None
        array: Any = table.column(0).chunk(0)
        found = array.flatten()
        return None if found.null_count else found

    def _parse(self, records: bytes) -> pa.Table:
        import pyarrow as pa
        import pyarrow.json as pj

        text = b'{"r":' + records + b"}"
        known = pa.schema([(_RECORDS, pa.list_(pa.struct(list(self._texts.items()))))]) if self._texts else None
        return pj.read_json(
            pa.BufferReader(text),  # type: ignore[arg-type]  # the stubs know no buffers
            pj.ReadOptions(use_threads=False, block_size=len(text) + 1),
            pj.ParseOptions(explicit_schema=known, newlines_in_values=b"\n" in text),
        )

    def _by_orjson(self, content: bytes) -> JsonPage:
        import orjson

        try:
            document = orjson.loads(content)
        except orjson.JSONDecodeError:
            return self._exactly(content)
        return self._page(document, lambda value: orjson.dumps(value).decode())

    def _exactly(self, content: bytes) -> JsonPage:
        text = content.decode("utf-8-sig").strip()
        try:
            document = _EXACT.decode(text)
        except RecursionError:
            msg = "nested too deeply"
            raise ValueError(msg) from None
        return self._page(document, lambda value: dump(value, []), surrogates="\\u" in text)

    def _page(self, document: Any, text: Callable[[Any], str], *, surrogates: bool = False) -> JsonPage:  # noqa: ANN401 - any JSON value
        found = self._find(document)
        count = len(found)
        found = self._spread(found) if self._spread else found
        good: list[dict[str, Any]] = []
        rejected = []
        for record in found:
            problem = _problem(record, text if surrogates else None)
            if problem is None:
                good.append(record)
            else:
                rejected.append(Rejected(text(record).encode("utf-8", "backslashreplace").decode(), problem))
        if not any(good):  # without a column there is nothing that could say how many rows there are
            rejected += [Rejected("{}", "The record is empty.") for _ in good]
            good = []
        return JsonPage(document, columns(good, self._nested, text), count, tuple(rejected))


def _plain(content: bytes, numbers: list[bytes]) -> bool:
    """Whether Arrow's reader keeps all values, and comes through."""
    return all_doubles(numbers) and not _SURROGATE.search(content) and not is_deep(content)


def _problem(record: Any, text: Callable[[Any], str] | None) -> str | None:  # noqa: ANN401 - any JSON value
    """What is wrong with a record, if anything."""
    if not isinstance(record, dict):
        return "The record is not an object."
    if "" in record:
        return "A key of the record is empty."
    if text is not None:
        try:
            text(record).encode()
        except UnicodeEncodeError:
            return "A string of the record holds a lone surrogate."
    return None


def textual(kind: pa.DataType) -> pa.DataType:
    """The type with text where Arrow's reader guessed a time."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_timestamp(kind):
        return pa.string()
    if t.is_struct(kind):
        return pa.struct([field.with_type(textual(field.type)) for field in kind if not t.is_null(field.type)])
    return pa.list_(textual(kind.value_type)) if t.is_list(kind) else kind


def _guessed(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    if t.is_struct(kind):
        return any(_guessed(field.type) for field in kind)
    return _guessed(kind.value_type) if t.is_list(kind) else t.is_timestamp(kind)


def _finite(batch: pa.RecordBatch) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    doubles = [column for column in batch.columns if pa.types.is_floating(column.type)]
    return all(pc.all(pc.is_finite(column), min_count=0).as_py() for column in doubles)


def _named(batch: pa.RecordBatch) -> bool:
    return len({*batch.schema.names, ""}) == batch.num_columns + 1

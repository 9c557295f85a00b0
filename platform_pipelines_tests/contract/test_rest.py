from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from platform_pipelines.connectors.rest import RestConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.testing.contract import SourceContract
from platform_pipelines.testing.rows import people
from platform_pipelines_tests.api_server import Answer, ApiServer, Asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

SIZE = 3


class TestRestSource(SourceContract):
    """Records as JSON, numbers with all their digits; the API knows no windows."""

    stream: ClassVar[dict[str, Any]] = {"pagination": {"type": "offset"}, "types": {"zip": "varchar"}}

    @pytest.fixture
    def filled(self, tmp_path: Path) -> Iterator[tuple[Any, str]]:
        with ApiServer() as self.api:
            yield self.make_source(tmp_path, people())

    def make_source(self, tmp_path: Path, table: pa.Table) -> tuple[Any, str]:  # noqa: ARG002 - the suite
        texts = [_json(row) for row in table.to_pylist()]

        def answer(asked: Asked) -> Answer:
            start = int(asked.params.get("offset", 0))
            return Answer(content=f'{{"people": [{", ".join(texts[start : start + SIZE])}]}}'.encode())

        self.api.serve("/people", answer)
        declared = {"path": "/people", "records": "people", **self.stream}
        return RestConnector.model_validate({"base_url": self.api.url, "streams": {"people": declared}}), "people"


class TestRestSourceInOrder(TestRestSource):
    """Pages that go on as they come."""

    stream: ClassVar[dict[str, Any]] = {
        **TestRestSource.stream,
        "order": "ascending",
        "types": {"zip": "varchar", "amount": "decimal(20,4)"},
    }

    def test_integers_bound_exactly(self, filled: tuple[Any, str]) -> None:
        """The rows are in no order of this cursor."""
        with pytest.raises(InvalidData, match="is declared `order: ascending`, but `big` goes back"):
            super().test_integers_bound_exactly(filled)

    def test_null_cursors_may_be_left_out_only_where_they_are_skipped(self, filled: tuple[Any, str]) -> None:
        """The rows are in no order of this cursor."""
        with pytest.raises(InvalidData, match="is declared `order: ascending`, but `big` goes back"):
            super().test_null_cursors_may_be_left_out_only_where_they_are_skipped(filled)


def _json(row: dict[str, Any]) -> str:
    numbers = {name: value for name, value in row.items() if isinstance(value, Decimal)}
    rest = {
        name: value if isinstance(value, int | str | None) else value.isoformat()
        for name, value in row.items()
        if name not in numbers
    }
    return json.dumps(rest)[:-1] + "".join(f', "{name}": {value}' for name, value in numbers.items()) + "}"

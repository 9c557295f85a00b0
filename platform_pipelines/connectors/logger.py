"""A destination that writes rows to Python's logging, to look at a pipeline at work.

It keeps nothing, so it is not durable: the engine holds its offset in the
landing log, and a batch whose run dies in between is logged a second time.
Handlers and levels are left to the process that runs.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from platform_pipelines.connectors.base import Connector
from platform_pipelines.model import Receipt
from platform_pipelines.rows import to_rows
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.model import Feed, Load, Mode, Offset

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class LoggerConnector(Connector):
    """Logs rows as JSON, one line each.

    Attributes:
        logger: name of the logger.
        level: level of the lines.
        limit: lines written of one batch at most; all rows count as loaded.
    """

    modes: ClassVar[frozenset[Mode]] = frozenset({"append"})
    durable: ClassVar[bool] = False

    type: Literal["logger"] = "logger"
    logger: str = "platform_pipelines.rows"
    level: Literal["debug", "info", "warning", "error"] = "info"
    limit: int = Field(default=20, ge=0)

    def check(self) -> None:
        """Nothing can be out of reach."""

    def offset(self, feed: Feed, table: str) -> Offset | None:  # noqa: ARG002 - the contract's signature
        """None always: nothing is kept here."""
        return None

    def load(self, load: Load, batches: pa.RecordBatchReader) -> Receipt:
        """Log the first rows and count all of them."""
        out, level = logging.getLogger(self.logger), _LEVELS[self.level]
        rows = 0
        for batch in batches:
            for record in to_rows(batch.slice(0, max(0, self.limit - rows))):
                out.log(level, "%s %s", load.table, mask(json.dumps(record, default=str, ensure_ascii=False)))
            rows += batch.num_rows
        if rows > self.limit:
            out.log(level, "%s and %d rows more of %s", load.table, rows - self.limit, load.feed.id)
        return Receipt(staged=rows, loaded=rows)

"""Log records without secrets, whichever library writes them and wherever they go.

Records are masked as they are made, so that no handler, present or future, gets
to see a secret. A record in which there is none stays as it is.
"""

from __future__ import annotations

import logging
import threading
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_lock = threading.Lock()


def guard(mask: Callable[[str], str]) -> None:
    """Put the mask before all loggers of this process; calling it again does nothing.

    Args:
        mask: hides secrets in a text.
    """
    with _lock:
        before = logging.getLogRecordFactory()
        if isinstance(before, _Factory):
            return
        logging.setLogRecordFactory(_Factory(before, mask))


class _Factory:
    """Makes records as the factory before it did, masked."""

    def __init__(self, before: Callable[..., logging.LogRecord], mask: Callable[[str], str]) -> None:
        self._before = before
        self._mask = mask

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401 - the factory's own
        record = self._before(*args, **kwargs)
        if (
            record.name is None
        ):  # logging.makeLogRecord asks for an empty record, and fills it in with what another one says
            return record
        record.name = self._mask(record.name)
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):  # arguments that do not fit: logging reports that by itself
            said = ""
        shown = self._mask(said)
        if shown != said:
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[1] is not None:
            said = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            shown = self._mask(said)
            if shown != said:
                # formatters take this text and ask the exception for no other
                record.exc_text, record.exc_info = shown, None
        return record

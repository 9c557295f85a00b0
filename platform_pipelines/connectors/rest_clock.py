"""The moment at which a read began, by the server's own clock, as the upper end of the read.

Without one, a record that changes while pages are read is missed where its page
came before: the watermark passes its new cursor by. Which streams are capped is
left to ``rest_models``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import InvalidData, SpecError

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.http.exchange import Response
    from platform_pipelines.model import Window

#: seconds that the header `Date` may be behind
_ROUNDING = 1.0


def began(response: Response, seconds: float) -> dt.datetime:
    """When the server began to answer at the earliest.

    Args:
        response: the answer.
        seconds: how long it took, by our clock.

    Raises:
        InvalidData: the server does not tell the time.
    """
    try:
        told = parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, OverflowError):
        msg = (
            f"{response.shown_url}: `cursor.capped` needs the server's clock, and the answer has no header `Date`. "
            "Leave it out, and cover what changes while pages are read by the pipeline's `cursor.lag`."
        )
        raise InvalidData(msg) from None
    told = told if told.tzinfo else told.replace(tzinfo=dt.UTC)
    return told - dt.timedelta(seconds=seconds + _ROUNDING)


def capped(window: Window, at: dt.datetime | None, schema: pa.Schema) -> Window:
    """The window, ending where the read began; one that has an end keeps it.

    Raises:
        SpecError: the cursor is no moment.
    """
    import pyarrow.types as t

    if at is None or window.field is None or window.high is not None or window.field not in schema.names:
        return window
    kind: Any = schema.field(window.field).type
    if not t.is_timestamp(kind):
        msg = f"`cursor.capped` needs a cursor that is a timestamp; `{window.field}` is {kind}. Leave it out."
        raise SpecError(msg)
    if kind.tz:
        return replace(window, high=_cursor(at, "timestamptz"))
    return replace(window, high=_cursor(at.astimezone(ZoneInfo(window.timezone or "UTC")), "timestamp"))


def _cursor(at: dt.datetime, kind: Any) -> Cursor:  # noqa: ANN401 - a cursor's kind
    text = at.replace(tzinfo=None).isoformat(timespec="seconds")
    return Cursor.parse(f"{text}Z" if kind == "timestamptz" else text, kind)

"""Rules on the whole batch: ``volume`` counts its rows, ``freshness`` looks at its newest time.

NULL semantics: ``freshness`` passes over NULL; if there is no time at all, it fails.
Times without zone are taken as UTC; a date counts from its midnight, UTC.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.outcomes import RuleOutcome
from platform_pipelines.relations import family

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from platform_pipelines.spec.rules import Freshness, Volume


def volume(rule: Volume, rows: int) -> RuleOutcome:
    """Whether the batch holds enough rows."""
    detail = f"{rows:,} rows; at least {rule.min_rows:,} are expected"
    return RuleOutcome(rule.id, rule.type, rule.severity, int(rows < rule.min_rows), 1, detail + ".")


def freshness(
    rule: Freshness, connection: duckdb.DuckDBPyConnection, relation: str, types: Mapping[str, str], now: dt.datetime
) -> RuleOutcome:
    """Whether the newest value of the field is young enough.

    Raises:
        InvalidData: the field holds no times.
    """
    kind = types[rule.field]
    if family(kind) not in {"date", "timestamp", "timestamptz"}:
        msg = f"Rule `{rule.id}` (freshness) needs a time; `{rule.field}` is {kind}. Convert it by `map` first."
        raise InvalidData(msg)
    row = connection.execute(
        f"select cast(epoch_us(cast(max({quote(rule.field)}) as timestamptz)) as bigint) from {quote(relation)}"
    ).fetchone()
    newest = row[0] if row else None
    limit = dt.timedelta(seconds=rule.max_age)
    if newest is None:
        detail = f"`{rule.field}` holds no time; at most {limit} of age is expected."
        return RuleOutcome(rule.id, rule.type, rule.severity, 1, 1, detail)
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=newest)
    age = now - moment
    detail = f"newest `{rule.field}` is {moment.isoformat()}, {age} old; at most {limit} is expected."
    return RuleOutcome(rule.id, rule.type, rule.severity, int(age > limit), 1, detail)

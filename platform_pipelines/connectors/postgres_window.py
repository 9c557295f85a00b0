"""How far a read of PostgreSQL may go: up to the oldest transaction still open.

A row carries the time at which its transaction began, but shows only when that
commits. A read that went further than the oldest open transaction would move
the watermark past rows that are not to be seen yet, and never come back.

The clock is read first, then, a moment later, the open transactions, then the
rows. A transaction that is in none of the two began after the clock was read;
the moment lets a transaction that is just beginning announce itself.

A standby sees only what it has replayed, so its clock is the last commit replayed.

Number and text cursors have no clock: ``cursor.lag`` covers late commits there.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.postgres_session import READER
from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import RetriableError

if TYPE_CHECKING:
    import psycopg

    from platform_pipelines.model import Window
    from platform_pipelines.sql.dialect import Family

_log = logging.getLogger(__name__)

_CLOCK = """
select least(now(), case when pg_is_in_recovery() then pg_last_xact_replay_timestamp() end), pg_is_in_recovery()
from pg_catalog.pg_sleep(0.01)
"""

# vacuum and replication senders never write rows of their own; our readers never write at all
_OPEN = """
select min(xact_start), count(*) filter (where query = '<insufficient privilege>')
from pg_catalog.pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
and coalesce(backend_type, '') not in ('autovacuum worker', 'walsender', 'parallel worker')
and application_name is distinct from %s
"""
_PREPARED = """
select gid, prepared from pg_catalog.pg_prepared_xacts where database = current_database() order by prepared limit 1
"""


_SIGHT = "select pg_has_role('pg_read_all_stats', 'usage'), pg_is_in_recovery()"
_STANDBY = (
    "This server is a standby: it does not show the transactions that are open on its primary. "
    "Set `cursor.lag` to more than the longest transaction, or rows that commit late may be missed."
)


def blind_spots(connection: psycopg.Connection) -> list[str]:
    """Which open transactions this role does not see here, one sentence each with the way out."""
    sees, standby = _row(connection, _SIGHT)
    blind = (
        "This role does not see the transactions of other roles, so rows that they commit late may be missed. "
        "Grant pg_read_all_stats to it, or set `cursor.lag` to more than the longest transaction."
    )
    return ([_STANDBY] if standby else []) + ([] if sees else [blind])


def bounded(connection: psycopg.Connection, window: Window, family: Family | None) -> Window:
    """The window with its upper end fixed; call before the snapshot of the rows is taken.

    Args:
        connection: outside of a transaction.
        window: what is asked for; one that has an upper end keeps it.
        family: type of the cursor field.

    Raises:
        RetriableError: a prepared transaction is open and nothing was read before.
    """
    if window.high is not None or family not in {"date", "timestamp", "timestamptz"}:
        return window
    clock, standby = _row(connection, _CLOCK)
    oldest, hidden = _row(connection, _OPEN, READER)
    if standby:
        _log.warning(_STANDBY)
    if hidden:
        _log.warning(
            "%d sessions of other roles are hidden from this one, so rows that they commit late may be missed. "
            "Grant pg_read_all_stats to the role, or set `cursor.lag` to more than the longest transaction.",
            hidden,
        )
    prepared = connection.execute(_PREPARED).fetchone()
    if prepared:
        return replace(window, high=_held(window, *prepared))
    return replace(window, high=_cursor(min(clock, oldest or clock)))


def _held(window: Window, gid: str, prepared: dt.datetime) -> Cursor:
    """A prepared transaction does not tell when it began: only what was read before it can be read again."""
    if window.low is None:
        msg = (
            f"Prepared transaction {gid!r} (prepared {prepared.isoformat()}) is open, and PostgreSQL does not tell "
            "when it began, so a first read could miss its rows. Commit it or roll it back, then run again."
        )
        raise RetriableError(msg)
    _log.warning("Prepared transaction %r (%s) is open: nothing new is read until it ends.", gid, prepared.isoformat())
    return window.low


def _row(connection: psycopg.Connection, query: str, *parameters: str) -> tuple[Any, ...]:
    """The one row of an aggregate or a query of constants."""
    return connection.execute(query.encode(), parameters).fetchall()[0]


def _cursor(instant: dt.datetime) -> Cursor:
    return Cursor.parse(instant.astimezone(dt.UTC).isoformat(), "timestamptz")

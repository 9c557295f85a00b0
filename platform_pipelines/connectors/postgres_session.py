"""Connections to PostgreSQL, and its errors classed by what to do next.

psycopg holds the transactions; rows travel through DuckDB's extension, see
``postgres_source`` and ``postgres_copy``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from platform_pipelines.errors import ConnectError, InvalidData, PipelinesError, RetriableError
from platform_pipelines.spec.oneline import one_line
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

#: name of sessions that only read: they cannot commit rows late, so they never hold a watermark back
READER = "platform_pipelines read"
#: name of sessions that load
WRITER = "platform_pipelines load"

#: what is said to the server and back, whatever the environment or the database has as its default
ENCODING = "UTF8"
#: settings under which values written as text mean the same everywhere
SETTINGS = (
    "set timezone = 'UTC'",
    "set datestyle = 'ISO, YMD'",
    "set intervalstyle = 'postgres'",
    "set extra_float_digits = 1",
    "set bytea_output = 'hex'",
)


@contextlib.contextmanager
def session(dsn: str, application: str) -> Iterator[psycopg.Connection]:
    """A connection that commits each statement unless a transaction is opened.

    Args:
        dsn: libpq connection string or URI.
        application: what ``pg_stat_activity`` calls it.

    Raises:
        ConnectError: the server cannot be reached or refuses the credentials.
    """
    import psycopg

    with named_errors(dsn):
        try:
            connection = psycopg.connect(dsn, autocommit=True, application_name=application, client_encoding=ENCODING)
        except psycopg.ProgrammingError:  # its text quotes parts of the dsn
            msg = (
                "The `dsn` of the postgres connector cannot be read. Write it like "
                "`postgresql://user:password@host:5432/database`, special characters percent-encoded."
            )
            raise ConnectError(msg) from None
        with connection:
            connection.execute("; ".join(SETTINGS))
            yield connection


@contextlib.contextmanager
def named_errors(dsn: str) -> Iterator[None]:
    """Turn psycopg's errors into this package's; those that are our own pass."""
    import psycopg
    from psycopg import errors

    try:
        yield
    except PipelinesError:
        raise
    except (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable) as error:
        msg = f"PostgreSQL broke off a transaction because of another one: {_shown(error, dsn)} Nothing was written."
        raise RetriableError(msg) from error
    except (errors.InsufficientPrivilege, errors.InvalidAuthorizationSpecification) as error:
        msg = f"PostgreSQL refuses: {_shown(error, dsn)} Grant the privilege to the connector's role."
        raise ConnectError(msg) from error
    except psycopg.OperationalError as error:
        msg = f"PostgreSQL ({place(dsn)}) cannot be reached, or broke off: {_shown(error, dsn)}"
        raise ConnectError(msg) from None
    except psycopg.Error as error:
        msg = f"PostgreSQL refuses it: {_shown(error, dsn)}"
        raise InvalidData(msg) from error


def place(dsn: str) -> str:
    """Host, port and database of a connection string; never its password."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(dsn)
    except ProgrammingError:
        return "unreadable dsn"
    host = parts.get("host") or parts.get("hostaddr") or "local socket"
    return f"{host}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"


def without_password(text: str, dsn: str) -> str:
    """Text in which neither the connection string nor its password shows."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        password = str(conninfo_to_dict(dsn).get("password") or "")
    except ProgrammingError:
        password = ""
    for secret in (dsn, password):
        text = text.replace(secret, "***") if secret else text
    return mask(text)


def _shown(error: psycopg.Error, dsn: str) -> str:
    parts = [error.diag.message_primary or str(error).strip(), error.diag.message_detail, error.diag.message_hint]
    text = ". ".join(one_line(part).rstrip(".") for part in parts if part)
    where = f" (table {error.diag.table_name}, column {error.diag.column_name})" if error.diag.column_name else ""
    end = "" if text.endswith("?") and not where else "."
    return without_password(f"{text}{where}{end}", dsn)

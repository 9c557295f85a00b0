"""SQLAlchemy engines and what their errors mean here.

What is asked is left to ``sql_statement``.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from platform_pipelines.errors import ConnectError, InvalidData, SpecError
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine


def make_engine(url: str) -> Engine:
    """An engine without a pool; a PostgreSQL URL that names no driver gets the one that is installed.

    Raises:
        SpecError: the URL cannot be read, or its driver is not installed.
    """
    from sqlalchemy import NullPool, create_engine, make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        parsed = make_url(url)
        if parsed.drivername in {"postgresql", "postgres"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, poolclass=NullPool)
    except (ArgumentError, ValueError) as error:  # a port that is no number is the latter
        msg = "The key `url` is not a SQLAlchemy URL. Write it like dialect+driver://user:password@host/database."
        raise SpecError(msg) from error
    except (NoSuchModuleError, ImportError) as error:
        msg = (
            f"The driver of {url.split('://', maxsplit=1)[0]!r} is not installed: {error}. Install its Python package."
        )
        raise SpecError(msg) from error


@contextmanager
def as_errors(engine: Engine) -> Iterator[None]:
    """Turn SQLAlchemy's errors into the package's.

    Raises:
        ConnectError: the database cannot be reached or refuses the credentials.
        InvalidData: it does not understand the statement.
    """
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

    place = engine.url.render_as_string(hide_password=True)
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if _is_statement(error):
            raise InvalidData(mask(f"{place}: {error.orig}. Mend the stream's table, columns or query.")) from error
        msg = f"{place} cannot be reached: {error.orig}. Check host, port, database and credentials; then try again."
        raise ConnectError(mask(msg)) from error
    except DBAPIError as error:
        raise InvalidData(mask(f"{place}: {error.orig}. Mend the stream's table, columns or query.")) from error
    except SQLAlchemyError as error:
        raise InvalidData(mask(f"{place}: {error}")) from error


def _is_statement(error: object) -> bool:
    """Whether the fault lies in a statement: SQLite reports unknown names as operational errors."""
    text = str(getattr(error, "orig", ""))
    return any(part in text for part in ("no such table", "no such column", "syntax error"))

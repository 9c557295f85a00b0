"""SQLAlchemy engines and what their errors mean here.

What is asked is left to ``sql_statement``.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.errors import ConnectError, InvalidData, SpecError
from platform_pipelines.spec.oneline import one_line
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Engine


def make_engine(url: str) -> Engine:
    """An engine without a pool; a PostgreSQL URL that names no driver gets the one that is installed.

    Raises:
        SpecError: the URL cannot be read, or its driver is not installed.
        ConnectError: it names a SQLite database that does not exist.
    """
    from sqlalchemy import NullPool, create_engine, make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        parsed = make_url(url)
        if parsed.drivername in {"postgresql", "postgres"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        _check_file(parsed)
        return create_engine(parsed, poolclass=NullPool)
    except (ArgumentError, ValueError) as error:  # a port that is no number is the latter
        msg = "The key `url` is not a SQLAlchemy URL. Write it like dialect+driver://user:password@host/database."
        raise SpecError(msg) from error
    except (NoSuchModuleError, ImportError) as error:
        msg = (
            f"The driver of {url.split('://', maxsplit=1)[0]!r} is not installed: {error}. Install its Python package."
        )
        raise SpecError(msg) from error


def _check_file(url: URL) -> None:
    """See that a SQLite database exists: SQLite would make an empty one of a path that is mistyped.

    Raises:
        ConnectError: it does not.
    """
    name = url.database or ":memory:"
    if url.get_backend_name() != "sqlite" or name == ":memory:" or name.startswith("file:"):
        return
    path = Path(name)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        msg = f"SQLite database {path.absolute()} {what}. Mend the path in `url`."
        raise ConnectError(mask(msg))


@contextmanager
def as_errors(engine: Engine) -> Iterator[None]:
    """Turn SQLAlchemy's errors into the package's.

    Raises:
        ConnectError: the database cannot be reached or refuses the credentials.
        InvalidData: it does not understand the statement.
    """
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

    # drivers take passwords and tokens as parameters too, under names of their own
    place = engine.url.set(query={}).render_as_string(hide_password=True)
    try:
        yield
    except SQLAlchemyError as error:
        said = one_line(error.orig if isinstance(error, DBAPIError) else error)
        unreachable = isinstance(error, OperationalError | InterfaceError) and not _is_statement(error)
        kind, todo = (
            (ConnectError, "Check host, port, database and credentials; then try again.")
            if unreachable
            else (InvalidData, "Mend the stream's table, columns or query.")
        )
        where = f"{place} cannot be reached" if unreachable else place
        raise kind(mask(f"{where}: {said.rstrip('.')}. {todo}")) from error


def _is_statement(error: object) -> bool:
    """Whether the fault lies in a statement: SQLite reports unknown names as operational errors."""
    text = str(getattr(error, "orig", ""))
    return any(part in text for part in ("no such table", "no such column", "syntax error"))

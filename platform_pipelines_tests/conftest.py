"""Fixtures shared by all tests: a real PostgreSQL, a count of cases."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from platform_pipelines.spec import secrets
from platform_pipelines_tests import counts, locales
from platform_pipelines_tests.examples import PLAYED
from platform_pipelines_tests.servers import postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _pytest.terminal import TerminalReporter


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Show with how many cases each promise was attacked."""
    counts.show(terminalreporter)


@pytest.fixture
def cases(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Say what was attacked, with how many cases; the end of the suite sums it up."""
    return lambda what, number: record_property(counts.PROPERTY, (what, number))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Count the test where it is a case of an attack, and the histories that it plays."""
    PLAYED.clear()
    yield
    item.user_properties += counts.of_test(item.nodeid, PLAYED)


@pytest.fixture(autouse=True)
def _secrets_of_one_test() -> Iterator[None]:
    """What a test makes secret is none in the next: each shows by itself what is masked, and ports are used again."""
    before = frozenset(secrets._forms)
    yield
    with secrets._lock:
        secrets._forms.intersection_update(before)
        secrets._pattern = None


@pytest.fixture(scope="session")
def locale_folder() -> Iterator[Path]:
    """Where locales may be compiled into, for all to read; the tests' PostgreSQL server looks for its own there too."""
    with tempfile.TemporaryDirectory(prefix="locales-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def postgres_dsn(locale_folder: Path) -> Iterator[str]:
    """DSN of a PostgreSQL server's database ``postgres``; the server lives as long as the test session."""
    with postgres(locales.variables(locale_folder)) as dsn:
        yield dsn


@pytest.fixture
def postgres_database(postgres_dsn: str) -> Iterator[str]:
    """DSN of an empty database for one test."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_dsn, autocommit=True) as server:
        server.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        yield postgres_dsn.rsplit("/", 1)[0] + f"/{name}"
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

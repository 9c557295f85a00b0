"""What the crash matrix takes for a call that sends a statement."""

from __future__ import annotations

import pytest

from platform_pipelines_tests.torture import callsites, sending

#: a destination of two functions that have the effect, and some that call them
_DESTINATION = """
class Load:
    def execute(self, sql):
        with durable.effect("sql", sql):
            return self._connection.execute(sql)

    def query(self, sql):
        with durable.effect("query", sql):
            return self._connection.execute(sql)

    def _lock(self, name):
        self.query(name)

    def prepare(self):
        self._lock("a")
        self._lock("b")
        self._connection.execute("select 1")

    def incoming(self, field):
        return types.incoming(field, self.query)

    def render(self, column):
        return types.render(column)
"""
_SCRIPT = """
def run_load(database):
    database.prepare()
    database.render(1)
    connection.execute("select 1")
    _write(database)

def _write(database):
    if database.never():
        database.execute("select 1")
"""
_CONNECTOR = """
from platform_pipelines.connectors.some_destination import Load
from platform_pipelines.sql.script import run_load

class Connector:
    def load(self):
        with self.open() as connection:
            connection.execute("begin")
            run_load(Load(connection))

    def offset(self):
        return Load(self.open()).query("select 1")

    def tidy(self):
        self.database.execute("delete")
"""
SOURCES = {
    "connectors/some.py": _CONNECTOR,
    "connectors/some_destination.py": _DESTINATION,
    "sql/script.py": _SCRIPT,
    "engine/other.py": "def f(connection):\n    connection.execute('select 1')\n    pool.query('select 1')\n",
}


def _names(sources: dict[str, str]) -> dict[str, list[str]]:
    found = sending.in_sources(sources)
    return {module: [site.name.removeprefix(f"{module}:") for site in sites] for module, sites in found.items()}


def test_each_call_on_the_way_to_a_statement_is_found() -> None:
    """Of a connector outside of its loads only what writes."""
    assert _names(SOURCES) == {
        "connectors/some.py": ["load:run_load", "tidy:self.database.execute"],
        "connectors/some_destination.py": [
            "_lock:self.query",
            "prepare:self._lock",
            "prepare:self._lock#2",
            "incoming:types.incoming",
        ],
        "sql/script.py": ["run_load:database.prepare", "run_load:_write", "_write:database.execute"],
    }


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("sql/script.py", "database.execute(text)"),
        ("sql/script.py", "self._database.query(text)"),
        ("sql/script.py", "map(database.execute, texts)"),
        ("sql/new.py", "database.prepare()"),
        ("sql/new.py", "script.run_load(database)"),
        ("sql/new.py", "run_load(database)"),
        ("connectors/some_destination.py", "self._lock(name)"),
        ("connectors/some_destination.py", "helper(self._lock)"),
        ("connectors/some_destination.py", "helper(send=self._lock)"),
        ("connectors/some_destination.py", "run_load(self)"),
    ],
)
def test_a_call_that_is_new_is_found(module: str, call: str) -> None:
    """One in a branch that no run takes, too."""
    text = SOURCES.get(module, "") + f"\ndef new(self, database):\n    if False:\n        {call}\n"
    named = f"new:{call.partition('(')[0]}"
    assert named in _names(SOURCES | {module: text})[module]
    assert named not in _names(SOURCES).get(module, [])


def test_who_calls_a_new_sender_sends() -> None:
    script = (
        _SCRIPT + "\ndef outer(database):\n    run_load(database)\n\ndef outermost(database):\n    outer(database)\n"
    )
    assert {"outer:run_load", "outermost:outer"} <= set(_names(SOURCES | {"sql/script.py": script})["sql/script.py"])


def test_the_package_has_some() -> None:
    found = {module for module in callsites.modules() if sending.sending_calls(module)}
    assert found == {
        "connectors/duckdb.py",
        "connectors/duckdb_destination.py",
        "connectors/postgres.py",
        "connectors/postgres_destination.py",
        "sql/evolve.py",
        "sql/script.py",
    }

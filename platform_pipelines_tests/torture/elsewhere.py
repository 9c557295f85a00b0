"""Effects that no case of the crash matrix has, each with the test that dies there instead.

A test that is named here asserts that it has met :func:`excused` effects, so that
none is excused by a test that does not come by.
"""

from __future__ import annotations

_BLOCKS = "integration/test_duckdb_blocks.py::test_a_restoration_that_dies_anywhere_is_repeated"
_TOKENS = "torture/test_token_file.py::test_dead_around_every_effect"
_EVENTS = "orchestration/test_crashes.py::test_dead_around_every_event"
_INDEX = "unit/store/test_feedindex.py::test_who_dies_while_it_is_written_leaves_the_truth"
_JOURNAL = "torture/test_small_files.py::test_dead_around_the_end_of_a_line_cut_off"
_LOADS = "torture/test_loads_of_deletes.py::test_dead_behind_statements_that_no_pipeline_has_sent"
_RECORD = "torture/test_small_files.py::test_dead_around_a_record_whose_folder_is_gone"

#: by call: ``module::test`` below ``platform_pipelines_tests``
ELSEWHERE = {
    # a block half written, which only a kill inside DuckDB leaves
    "connectors/duckdb_blocks.py:_put_back:durable.effect": _BLOCKS,
    "connectors/duckdb_blocks.py:_restore_block:durable.effect": _BLOCKS,
    "connectors/duckdb_blocks.py:restore:durable.remove_tree": _BLOCKS,
    # an answer half written down
    "connectors/http_journal.py:__init__:durable.append": _JOURNAL,
    # no effect of a run
    "http/tokens.py:locked:durable.make_folder": _TOKENS,
    "http/tokens.py:write:durable.effect": _TOKENS,
    "http/tokens.py:write:durable.fill": _TOKENS,
    "http/tokens.py:write:durable.rename": _TOKENS,
    "http/tokens.py:write:durable.sync": _TOKENS,
    "http/tokens.py:write:durable.unlink": _TOKENS,
    # only in Dagster
    "orchestration/steps.py:_named:durable.effect": _EVENTS,
    # of 256 feeds and more, old enough
    "store/feedindex.py:_keep:effects.replace": _INDEX,
    # `pipelines check` refuses hard deletes in modes other than merge
    "sql/script.py:_insert:database.query": _LOADS,
    "sql/script.py:_touch:database.execute#2": _LOADS,
    # the run has made the folder before, unless somebody removes it
    "store/runs.py:add:effects.make_folder": _RECORD,
}


def excused(test: str) -> set[str]:
    """The calls that a test has to come by: ``name`` or ``module::name``."""
    found = {call for call, where in ELSEWHERE.items() if where.endswith(f"::{test.rpartition('::')[2]}")}
    assert found, f"{test} excuses nothing: leave it out of ELSEWHERE, or mend the name"
    return found

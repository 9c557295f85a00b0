"""A pattern translated to RE2 has the verdicts of Python's ``re.search``, on any text."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import duckdb as engine
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from platform_pipelines import duck
from platform_pipelines.quality.patterns import to_re2

if TYPE_CHECKING:
    import duckdb

TOKENS = st.sampled_from(
    [
        "a", "b", ".", "^", "$", "|", "(", ")", "(?:", "[ab]", "[^a]", r"[\d_]", r"[^\s]", "[]a]", "[a-c-]", r"\d", r"\w",
        r"\s", r"\D", r"\W", r"\S", r"\b", r"\Z", r"\A", r"\.", r"\n", r"\t", r"\x41", "*", "+", "?", "{2}", "{1,2}", "{,2}", "é",
        "-", "{", "}", "]", r"\-", r"\ ", "[[]", "[a\\]]", "(?i)", "@", "&", r"\$", r"\^", "#", " ",
    ]
)  # fmt: skip
LETTERS = st.sampled_from(list("abcABC12_ -.@$^[]{}é\n\t\r\x1c\x85\u00a0\u2028٣\u017fK²Ⅷ\u0301"))


@pytest.fixture(scope="module")
def connection() -> Any:
    with duck.connect() as connection:
        yield connection


@settings(max_examples=600, deadline=None)
@given(
    tokens=st.lists(TOKENS, min_size=1, max_size=6),
    texts=st.lists(st.text(LETTERS, max_size=5), min_size=1, max_size=6),
)
def test_translated_patterns_agree_with_python(
    connection: duckdb.DuckDBPyConnection, tokens: list[str], texts: list[str]
) -> None:
    pattern = "".join(tokens)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(pattern)
    except (re.error, FutureWarning, DeprecationWarning):
        assume(condition=False)
    translated = to_re2(pattern)
    assume(translated is not None)
    try:
        rows = connection.execute(
            "select regexp_matches(text, $1) from (select unnest($2::varchar[]) as text)", [translated, texts]
        ).fetchall()
    except engine.Error:
        assume(condition=False)
    assert [row[0] for row in rows] == [compiled.search(text) is not None for text in texts], (pattern, translated)

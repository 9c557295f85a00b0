"""Lines of JSON in which values that are JSON already stand as they came, with every digit.

DuckDB writes such values anew, and takes numbers with a fraction for doubles on the way. So the
lines are put together in SQL and written the way in which DuckDB itself writes them.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

from platform_pipelines.duck import literal, quote

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

#: options of ``COPY`` for one column of finished lines
FORM = "format csv, header false, quote '', escape '', delimiter '\n'"
_STRING, _LAST_COMMA = r'"(?:[^"\\]|\\.)*"', r",\s*[\]}]"


def raw(name: str) -> str:
    """SQL of a column's JSON as it came, once it is seen to be JSON, on one line.

    DuckDB takes a comma behind the last value for JSON, others do not: where there may be one, DuckDB writes it anew.
    """
    text, given = quote(name), f"{quote(name)}::json::varchar"
    bare = f"regexp_replace({text}, {literal(_STRING)}, '', 'g')"
    loose = " and ".join(f"regexp_matches({each}, {literal(_LAST_COMMA)})" for each in (text, bare))
    value = f"case when {loose} then json({text})::varchar else {given} end"
    # in JSON a line break can only stand between values; to look for one costs a third of replacing it
    breaks = f"contains({text}, chr(10)) or contains({text}, chr(13))"
    return f"case when {breaks} then translate({value}, chr(10) || chr(13), '  ') else {value} end"


def line(names: Iterable[str], given: Container[str]) -> str:
    """SQL of a line, over columns of which those ``given`` are finished JSON."""
    parts: list[str] = []
    for finished, group in groupby(names, given.__contains__):
        if finished:
            parts += [f"{_key(name)}, coalesce({quote(name)}, 'null')" for name in group]
        else:
            values = ", ".join(f"{quote(name)} := {quote(name)}" for name in group)
            parts.append(f"(to_json(struct_pack({values}))::varchar)[2:-2]")
    inner = ", ',', ".join(parts)
    return f"concat('{{', {inner}, '}}')"


def _key(name: str) -> str:
    return literal(json.dumps(name, ensure_ascii=False) + ":")

"""The arrays of the golden table; ``golden_arrays`` tries those of every other type."""

from __future__ import annotations

from platform_pipelines_tests.integration.golden_types import DAYS, MICROSECONDS, Golden, Value, plain

_TEXTS = "elements that are no booleans, integers, floats, dates or timestamps are text: so arrays of every other type"

LISTS: tuple[Golden, ...] = (
    plain(
        "integer[]",
        "INTEGER[]",
        "list<element: int32>",
        ("{1,NULL,3}", "[1, NULL, 3]", "[1, null, 3]"),
        ("{}", "[]", "[]"),
        ("{NULL}", "[NULL]", "[null]"),
        note="a value of several dimensions, or with other bounds, stops the read with an error",
    ),
    Golden(
        "integer[]",
        "VARCHAR",
        "string",
        (Value("{{1,2},{3,4}}"), Value("{{{NULL}}}"), Value("[0:1]={1,2}")),
        "integer[][]",
        "declared with several dimensions: the array's text",
    ),
    Golden("text[]", "VARCHAR", "string", (Value('{{a,NULL},{"x,y",""}}'),), "text[][]"),
    plain(
        "text[]",
        "VARCHAR[]",
        "list<element: string>",
        ('{a,NULL,"NULL","x,y",""}', "[a, NULL, 'NULL', 'x,y', '']", '["a", null, "NULL", "x,y", ""]'),
    ),
    plain(
        "boolean[]", "BOOLEAN[]", "list<element: bool>", ("{t,f,NULL}", "[true, false, NULL]", "[true, false, null]")
    ),
    plain(
        "double precision[]",
        "DOUBLE[]",
        "list<element: double>",
        ("{0.1,NaN,-Infinity}", "[0.1, nan, -inf]", "[0.1, NaN, -Infinity]"),
    ),
    plain(
        "date[]",
        "DATE[]",
        "list<element: date32[day]>",
        ("{2026-01-01,infinity}", "[2026-01-01, infinity]", '["2026-01-01", "' + DAYS + '"]'),
    ),
    plain(
        "timestamp with time zone[]",
        "TIMESTAMP WITH TIME ZONE[]",
        "list<element: timestamp[us, tz=UTC]>",
        (
            '{"2026-01-01 00:00:00+00",infinity}',
            "['2026-01-01 00:00:00+00', infinity]",
            '["2026-01-01 00:00:00+00", "' + MICROSECONDS + '"]',
        ),
    ),
    plain(
        "numeric(10,2)[]",
        "VARCHAR[]",
        "list<element: string>",
        ("{1.50,NULL}", "[1.50, NULL]", '["1.50", null]'),
        note=_TEXTS,
    ),
    plain(
        "numeric[]",
        "VARCHAR[]",
        "list<element: string>",
        ("{1.500000000000000000001,NaN}", "[1.500000000000000000001, NaN]", '["1.500000000000000000001", "NaN"]'),
    ),
    plain("money[]", "VARCHAR[]", "list<element: string>", ("{$1.50}", "[1.50]", '["1.50"]')),
    plain("bytea[]", "VARCHAR[]", "list<element: string>", ('{"\\\\x00ff"}', "[\\x00ff]", '["\\\\x00ff"]')),
    plain(
        "uuid[]",
        "VARCHAR[]",
        "list<element: string>",
        (
            "{3b8e8b5e-1111-2222-3333-444455556666}",
            "[3b8e8b5e-1111-2222-3333-444455556666]",
            '["3b8e8b5e-1111-2222-3333-444455556666"]',
        ),
    ),
    plain("jsonb[]", "VARCHAR[]", "list<element: string>", ('{"{\\"a\\": 1}"}', "['{\"a\": 1}']", '["{\\"a\\": 1}"]')),
    plain("mood[]", "VARCHAR[]", "list<element: string>", ("{sad,ok}", "[sad, ok]", '["sad", "ok"]')),
    plain("place[]", "VARCHAR[]", "list<element: string>", ('{"(a,1)"}', "['(a,1)']", '["(a,1)"]')),
    plain("int4range[]", "VARCHAR[]", "list<element: string>", ('{"[1,5)"}', "['[1,5)']", '["[1,5)"]')),
    plain(
        "time without time zone[]", "VARCHAR[]", "list<element: string>", ("{24:00:00}", "['24:00:00']", '["24:00:00"]')
    ),
)

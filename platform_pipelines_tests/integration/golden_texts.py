"""The golden table of text: what CSV and JSON Lines hold, and what it becomes.

Every file has a column `v`; its values and types are written out, not computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Text:
    """One file.

    Attributes:
        name: of the case.
        content: the file's bytes; those that begin with a brace are JSON Lines, others CSV.
        pg: the type of `v` in PostgreSQL.
        duck: its type in DuckDB.
        arrow: its type in Parquet.
        values: of `v` in PostgreSQL as text, in order.
        shown: in DuckDB as text, where that differs.
        rejected: the reasons of dead letters.
        options: of the connector.
    """

    name: str
    content: bytes
    pg: str
    duck: str
    arrow: str
    values: tuple[str | None, ...]
    shown: tuple[str | None, ...] | None = None
    rejected: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def format(self) -> str:
        """The file's format."""
        return "jsonl" if self.content.removeprefix(b"\xef\xbb\xbf").startswith(b"{") else "csv"


_TEXT = ("text", "VARCHAR", "string")
_INT = ("bigint", "BIGINT", "int64")
_BIG = ("numeric(38,0)", "DECIMAL(38,0)", "decimal128(38, 0)")
_FLOAT = ("double precision", "DOUBLE", "double")
_TIME = ("timestamp without time zone", "TIMESTAMP", "timestamp[us]")
_ZONED = ("timestamp with time zone", "TIMESTAMP WITH TIME ZONE", "timestamp[us, tz=UTC]")
_DEEP = "[" * 200 + "1" + "]" * 200
_HUGE = "170141183460469231731687303715884105727"

# fmt: off
TEXTS: tuple[Text, ...] = (
    # numbers in CSV
    Text("leading zeros", b"v\n00123\n007\n", *_TEXT, ("00123", "007")),
    Text("a leading plus", b"v\n+1\n2\n", *_TEXT, ("+1", "2")),
    Text("64 bits and NULL", b"v,w\n9223372036854775807,1\n,2\n-9223372036854775808,3\n", *_INT,
         ("9223372036854775807", None, "-9223372036854775808")),
    Text("beyond 64 bits", b"v\n9223372036854775808\n1\n", *_BIG, ("9223372036854775808", "1")),
    Text("beyond 38 digits", b"v\n" + b"9" * 39 + b"\n1\n", *_TEXT, ("9" * 39, "1")),
    Text("exponents", b"v\n1e3\n1.5E-7\n-0\n", *_FLOAT, ("1000", "1.5e-07", "-0"), ("1000.0", "1.5e-07", "-0.0")),
    Text("exponent beyond a double", b"v\n1e400\n1\n", *_TEXT, ("1e400", "1")),
    Text("fractions that doubles give back", b"v\n1.5\n0.1\n", *_FLOAT, ("1.5", "0.1")),
    Text("fractions that doubles would round", b"v\n0.1234567890123456789\n1.5\n", *_TEXT, ("0.1234567890123456789", "1.5")),
    Text("integers that doubles would round", b"v\n9007199254740993\n1.5\n", *_TEXT, ("9007199254740993", "1.5")),
    Text("declared decimal", b"v\n0.10\n-99999999.99\n.5\n1.005\n", "numeric(10,2)", "DECIMAL(10,2)",
         "decimal128(10, 2)", ("0.10", "-99999999.99", "0.50"), rejected=("file line 5, column 'v': '1.005' is not a value of DECIMAL(10,2) (as declared).",),
         options={"types": {"v": "decimal(10,2)"}}),
    Text("declared decimal without fraction", b"v\n12\n 7 \n3.0\n.5\n", "numeric(10,0)", "DECIMAL(10,0)", "decimal128(10, 0)",
         ("12", "7", "3"), rejected=("file line 5, column 'v': '.5' is not a value of DECIMAL(10,0) (as declared).",),
         options={"types": {"v": "decimal(10,0)"}}),
    Text("declared hugeint", f"v,w\n{_HUGE},1\n{'9' * 38},2\n,3\n".encode(), *_BIG, ("9" * 38, None),
         rejected=(f"file line 2, column 'v': '{_HUGE}' is not a value of DECIMAL(38,0) (as declared).",),
         options={"types": {"v": "hugeint"}}),
    Text("declared ubigint", b"v\n18446744073709551615\n0\n", "numeric(20,0)", "UBIGINT", "uint64",
         ("18446744073709551615", "0"), options={"types": {"v": "ubigint"}}),
    Text("declared string", b"v\n00123\n1e5\n", *_TEXT, ("00123", "1e5"), options={"types": {"v": "string"}}),
    # CSV: other types
    Text("declared interval", b"v\n1 day\nx\n", *_TEXT, ("1 day",),
         rejected=("file line 3, column 'v': 'x' is not a value of VARCHAR (as declared).",), options={"types": {"v": "interval"}}),
    Text("declared uuid", b"v\n3b8e8b5e-1111-2222-3333-444455556666\n", *_TEXT, ("3b8e8b5e-1111-2222-3333-444455556666",),
         options={"types": {"v": "uuid"}}),
    Text("declared time", b"v\n23:59:59.999999\n", "time without time zone", "TIME", "time64[us]", ("23:59:59.999999",),
         options={"types": {"v": "time"}}),
    Text("declared milliseconds", b"v\n2026-01-01 00:00:00.123456\n", *_TIME, ("2026-01-01 00:00:00.123456",),
         options={"types": {"v": "timestamp_ms"}}),
    Text("booleans", b"v,w\ntrue,1\nFALSE,2\n,3\n", "boolean", "BOOLEAN", "bool", ("true", "false", None)),
    Text("dates", b"v\n2026-02-28\n0001-01-01\n", "date", "DATE", "date32[day]", ("2026-02-28", "0001-01-01")),
    Text("a day that is none", b"v\n2026-02-30\n2026-02-28\n", *_TEXT, ("2026-02-30", "2026-02-28")),
    Text("timestamps", b"v\n2026-03-29T02:30:00.123456\n2026-02-28 12:00:00\n", *_TIME,
         ("2026-03-29 02:30:00.123456", "2026-02-28 12:00:00")),
    Text("timestamps with offsets", b"v\n2026-02-28T12:00:00.123456+05:45\n2026-10-25 00:30:00Z\n", *_ZONED,
         ("2026-02-28 06:15:00.123456+00", "2026-10-25 00:30:00+00")),
    Text("timestamps of which some have offsets", b"v\n2026-02-28T12:00:00+05:45\n2026-02-28 12:00:00\n", *_TEXT,
         ("2026-02-28T12:00:00+05:45", "2026-02-28 12:00:00")),
    Text("mixed types", b"v\n1\nx\ntrue\n2026-01-01\n", *_TEXT, ("1", "x", "true", "2026-01-01")),
    Text("nothing but NULL", b"v,w\n,1\n,2\n", *_TEXT, (None, None)),
    # CSV: NULL, quotes, bytes
    Text("NULL, empty and NA", b'v,w\n,1\n"",2\nNA,3\nNULL,4\n', *_TEXT, (None, "", "NA", "NULL")),
    Text("NA as NULL", b'v,w\n,1\n"",2\nNA,3\n"NA",4\n', *_TEXT, (None, "", None, "NA"), options={"null_values": ["", "NA"]}),
    Text("quotes and line breaks", b'v,w\n"a ""b"" c",1\n"line\nbreak",2\n"a,b",3\n" pad ",4\n', *_TEXT,
         ('a "b" c', "line\nbreak", "a,b", " pad ")),
    Text("CR LF", b'v,w\r\n"a\r\nb",1\r\nc,2\r\n', *_TEXT, ("a\r\nb", "c")),
    Text("byte order mark", b"\xef\xbb\xbfv,w\n1,2\n", *_INT, ("1",)),
    Text("byte order mark before a quote", b'\xef\xbb\xbf"v",w\n1,2\n', *_INT, ("1",)),
    Text("UTF-16", "v,w\nZoë 🐘,1\n".encode("utf-16"), *_TEXT, ("Zoë 🐘",), options={"encoding": "utf-16"}),
    Text("Latin-1", "v,w\nZoë,1\n".encode("latin-1"), *_TEXT, ("Zoë",), options={"encoding": "latin-1"}),
    Text("Unicode", "v,ключ\n🐘 Zoë e\u0301,1\n".encode(), *_TEXT, ("🐘 Zoë e\u0301",)),
    Text("bytes that are no UTF-8", b'v,w\nok,1\nZo\xc3\xab\xff,2\n"a\xc3",3\n', *_TEXT, ("ok",),
         rejected=("file line 3: byte 5 of the record, 0xff, is not valid UTF-8.",
                   "file line 4: byte 3 of the record, 0xc3, is not valid UTF-8.")),
    Text("fields missing or too many", b"v,w\n1,2\n3\n4,5,6\n7,8\n", *_INT, ("1", "7"),
         rejected=("file line 3: 1 fields where the header has 2.", "file line 4: 3 fields where the header has 2.")),
    # JSON Lines: numbers
    Text("64 bits, NULL and missing", b'{"v": 9223372036854775807}\n{"v": null}\n{"w": 1}\n', *_INT,
         ("9223372036854775807", None, None)),
    Text("beyond 64 bits in JSON", b'{"v": 18446744073709551616}\n{"v": 1}\n', *_BIG, ("18446744073709551616", "1")),
    Text("exponents in JSON", b'{"v": 1e3}\n{"v": 1.50}\n{"v": -0}\n', *_FLOAT, ("1000", "1.5", "-0"), ("1000.0", "1.5", "-0.0")),
    Text("long fractions in JSON", b'{"v": 1.10}\n{"v": 12345678901234567890.123}\n', *_TEXT, ("1.10", "12345678901234567890.123")),
    Text("exponent beyond a double in JSON", b'{"v": 1e400}\n{"v": 1}\n', *_TEXT, ("1e400", "1")),
    Text("NaN in JSON", b'{"v": NaN}\n{"v": 1}\n', *_INT, ("1",), rejected=("file line 1: not a JSON object: NaN is not JSON.",)),
    # JSON Lines: texts and kinds
    Text("texts that look like numbers", b'{"v": "007"}\n{"v": "1e5"}\n', *_TEXT, ("007", "1e5")),
    Text("mixed kinds", b'{"v": 1}\n{"v": "x"}\n{"v": [1,2]}\n{"v": {"a": 1}}\n{"v": true}\n{"v": null}\n', *_TEXT,
         ("1", '"x"', "[1,2]", '{"a":1}', "true", None)),
    Text("empty, NULL and NA in JSON", b'{"v": ""}\n{"v": null}\n{"v": "NA"}\n{"v": " "}\n', *_TEXT, ("", None, "NA", " ")),
    Text("escapes", b'{"v": "q\\"u\\\\o\\n\\t\\/\\u00eb"}\n', *_TEXT, ('q"u\\o\n\t/ë',)),
    Text("surrogates", b'{"v": "\\ud800"}\n{"v": "\\ud83d\\udc18"}\n', *_TEXT, ("🐘",),
         rejected=("file line 1: a string holds a lone surrogate.",)),
    Text("bytes that are no UTF-8 in JSON", b'{"v": "a\xffb"}\n{"v": "c"}\n', *_TEXT, ("c",),
         rejected=("file line 1: byte 9 of the record, 0xff, is not valid UTF-8.",)),
    Text("a record cut off", b'{"v": 1}\n{"v": 2\n{"v": 3}\n', *_INT, ("1", "3"),
         rejected=("file line 2: not a JSON object: Expecting ',' delimiter: line 1 column 8 (char 7).",)),
    Text("byte order mark in JSON", b'\xef\xbb\xbf{"v": 1}\n', *_INT, ("1",)),
    # JSON Lines: nested
    Text("nested", b'{"v": {"a": {"b": [1, null, 3]}, "c": 1.5}}\n{"v": {"a": null}}\n', "jsonb",
         "STRUCT(a STRUCT(b BIGINT[]), c DOUBLE)", "struct<a: struct<b: list<element: int64>>, c: double>",
         ('{"a": {"b": [1, null, 3]}, "c": 1.5}', '{"a": null, "c": null}'),
         ("{'a': {'b': [1, NULL, 3]}, 'c': 1.5}", "{'a': NULL, 'c': NULL}")),
    Text("nested numbers that would be rounded", b'{"v": {"a": 9007199254740993}}\n{"v": {"a": 1.5}}\n', *_TEXT,
         ('{"a":9007199254740993}', '{"a":1.5}')),
    Text("a nested exponent beyond a double", b'{"v": {"a": 1e400}}\n{"v": {"a": 1.10}}\n', *_TEXT, ('{"a":1e400}', '{"a":1.10}')),
    Text("keys that differ by case", b'{"v": {"A": 1, "a": 2}}\n', *_TEXT, ('{"A":1,"a":2}',)),
    Text("nested 200 deep", f'{{"v": {_DEEP}}}\n'.encode(), *_TEXT, (_DEEP,)),
    Text("nested 3,000 deep", b'{"v": ' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b'}\n{"v": "x"}\n', *_TEXT, ("x",),
         rejected=("file line 1: nested too deeply.",)),
    Text("a key twice", b'{"v": 1, "v": 2}\n{"v": 3}\n', *_INT, ("3",),
         rejected=("file line 1: not a JSON object: the key 'v' stands twice in one object.",)),
    Text("a nested key twice", b'{"v": {"a": 1, "a": 2}}\n{"v": "x"}\n', *_TEXT, ("x",),
         rejected=("file line 1: not a JSON object: the key 'a' stands twice in one object.",)),
    Text("an empty key", b'{"": 1, "v": 2}\n{"v": 3}\n', *_INT, ("3",), rejected=("file line 1: a key is empty.",)),
)
# fmt: on

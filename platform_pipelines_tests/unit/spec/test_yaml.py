"""YAML text to values: the 1.2 core schema, lines, and everything that is refused."""

from __future__ import annotations

import math

import pytest

from platform_pipelines.errors import SpecError
from platform_pipelines.spec.parse import parse
from platform_pipelines.spec.tree import Mapping, line_at, located, plain


def read(text: str) -> object:
    return parse(text.encode(), "f.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("NO", "NO"), ("y", "y"), ("'12'", "12"),
        ("true", True), ("FALSE", False), ("~", None), ("null", None), ("", None), ('""', ""),
        ("12", 12), ("-7", -7), ("+3", 3), ("0", 0), ("0x1f", 31), ("0o17", 15),
        ("0123", "0123"), ("007", "007"), ("1_000", "1_000"), ("0b11", "0b11"), ("012.5", "012.5"),
        ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-2.5E-1", -0.25), (".inf", math.inf), ("-.INF", -math.inf),
        ("1:30", "1:30"), ("190:20:30", "190:20:30"), ("2013-01-01", "2013-01-01"), ("2013-01-01T05:00:00Z", "2013-01-01T05:00:00Z"),
        ("!!str 12", "12"), ("!!int '12'", 12), ("<<", "<<"), ("Ünï ☃ 🎉", "Ünï ☃ 🎉"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert read(f"a: {text}") == {"a": value}


def test_not_a_number() -> None:
    assert math.isnan(read("[.nan]")[0])  # type: ignore[index]


def test_keys_are_the_text_that_is_written() -> None:
    assert read("on: 1\n2: 2\nnull: 3\ntrue: 4") == {"on": 1, "2": 2, "null": 3, "true": 4}


def test_lines_of_keys_and_items() -> None:
    tree = read("# first\na: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n")
    assert isinstance(tree, Mapping)
    assert tree.line == 2
    assert [line_at(tree, path) for path in [("a",), ("b",), ("b", 0), ("b", 1, "c"), ("b", 1, "d")]] == [2, 3, 4, 5, 6]
    assert line_at(tree, ("b", "tag", 1, "missing")) == 5
    assert line_at(tree, ("nothing",)) == 2
    assert line_at({"a": 1}, ("a",)) is None


def test_plain_and_located_keep_values() -> None:
    tree = read("a: {b: [1, {c: null}]}")
    assert plain(tree) == {"a": {"b": [1, {"c": None}]}}
    assert type(plain(tree)["a"]) is dict
    assert located({"a": ({"b": 1},)}) == {"a": [{"b": 1}]}


def test_anchors_and_merge_keys() -> None:
    text = "base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\none: {<<: *base, b: 9}\ntwo: {<<: [*base, *other]}\nsame: *base\n"
    tree = read(text)
    assert isinstance(tree, Mapping)
    assert tree["one"] == {"a": 1, "b": 9}
    assert tree["two"] == {"a": 1, "b": 2, "c": 4}
    assert tree["same"] == {"a": 1, "b": 2}
    assert line_at(tree, ("two", "c")) == 2


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse(b"\xef\xbb\xbfa: 1", "f.yaml") == {"a": 1}


def test_nothing_is_none() -> None:
    assert read("") is None
    assert read("# only a comment\n") is None


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 12))
#: no alias of an alias, but a mapping of 20,000 keys merged again and again
WIDE = f"a: &a {{{', '.join(f'k{i}: 1' for i in range(20_000))}}}\n" + "".join(
    f"b{i}: {{<<: *a}}\n" for i in range(3_000)
)
EXPAND = "Aliases expand to more than 200000 values. Write fewer aliases of aliases."
CHAIN = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{x: *a{i - 1}}}\n" for i in range(1, 200))
DEEP = "The values are nested too deeply. Allowed: 60 levels."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3: Key `a` is written twice, first in line 1. Remove one."),
        ("a:\n  b: 1\n  b: 2", "f.yaml:3: Key `b` is written twice, first in line 2. Remove one."),
        ("a: !foo 1", "f.yaml:1: Tag '!foo' is not allowed: values are texts, numbers, true, false and null."),
        ("a: !!python/object:os.system {}", "f.yaml:1: Tag 'tag:yaml.org,2002:python/object:os.system' is not allowed"),
        ("a: !!set {x}", "f.yaml:1: Tag 'tag:yaml.org,2002:set' is not allowed"),
        ("a: !!omap [x]", "f.yaml:1: Tag 'tag:yaml.org,2002:omap' is not allowed"),
        ("a: !!timestamp 2013-01-01", "f.yaml:1: Tag 'tag:yaml.org,2002:timestamp' is not allowed"),
        ("a: !!int x", "f.yaml:1: 'x' is not a value of type int. Quote it, or write another."),
        ("a:\n\t- b", "f.yaml:2: Not valid YAML: found character that cannot start any token. Indent with spaces, not tabs."),
        ("a:\n  b: 1\n\tc: 2", "f.yaml:3: Not valid YAML: found a tab character that violates indentation. Indent with spaces"),
        ("a: @x", "f.yaml:1: Not valid YAML: found character that cannot start any token. Quote values that begin with a special"),
        ("a: b: c", 'f.yaml:1: Not valid YAML: mapping values are not allowed in this context. Quote a text that holds ": "'),
        ("a: [1", "f.yaml:2: Not valid YAML: did not find expected ',' or ']'. Check the indentation, quotes and brackets"),
        ("a: 1\n---\nb: 2", "f.yaml:2: The file holds several documents (`---`). Write each into a file of its own."),
        ("a: \x01", "f.yaml:1: A control character is not allowed in YAML"),
        ("? [a]\n: 1", "f.yaml:1: A key must be a text, not a list or a mapping. Quote a key that begins with [ or {."),
        ("a: &x [*x]", "f.yaml:1: An anchor contains an alias to itself. Remove the alias."),
        ("a: 1\nb: *nope", "f.yaml:2: Not valid YAML: found undefined alias."),
        ("<<: 1", "f.yaml:1: `<<` merges a mapping or a list of mappings. Write `<<: *anchor`."),
        (BOMB, "f.yaml:6: Aliases expand to more than 200000 values. Write fewer aliases of aliases."),
        (MERGES, f"f.yaml:6: {EXPAND}"),
        (WIDE, f"f.yaml:10: {EXPAND}"),
        ("a: !!binary aGVsbG8=", "f.yaml:1: Tag 'tag:yaml.org,2002:binary' is not allowed"),
        ("a: !!python/name:os.system x", "f.yaml:1: Tag 'tag:yaml.org,2002:python/name:os.system' is not allowed"),
        ("%TAG ! tag:x.org,2000:\n---\na: !y 1", "f.yaml:3: Tag 'tag:x.org,2000:y' is not allowed"),
        ("!!python/object:os.system a: 1", "f.yaml:1: Tag 'tag:yaml.org,2002:python/object:os.system' is not allowed on a key"),
        ("a: 1\nb: " + "9" * 5_000, "… is not a value of type int. Quote it, or write another."),
        ("a: 1\nb: 0x" + "f" * 5_000, "… is not a value of type int. Quote it, or write another."),
        ("a: 1\nb: 1e999", "f.yaml:2: '1e999' is not a value of type float. Quote it, or write another."),
        ("a: 1\nb: x\0y", "f.yaml:2: A control character is not allowed in YAML"),
        ("a: &a {<<: *a}", "f.yaml:1: An anchor contains an alias to itself. Remove the alias."),
        (CHAIN, DEEP),
        ("[" * 200_000, f"f.yaml:1: {DEEP}"),
        ("- " * 200_000, f"f.yaml:1: {DEEP}"),
        ("[" * 70 + "]" * 70, f"f.yaml:1: {DEEP}"),
        ("\n".join(" " * depth + "a:" for depth in range(600)), f"f.yaml:61: {DEEP}"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(text)
    assert message in str(caught.value)


def test_invalid_utf8_names_the_line_and_the_byte() -> None:
    with pytest.raises(SpecError) as caught:
        parse(b"a: 1\nb: caf\xe9\n", "f.yaml")
    assert str(caught.value) == "f.yaml:2: Byte 0xe9 is not UTF-8. Save the file with UTF-8 encoding."


def test_a_data_file_in_the_wrong_folder_is_not_even_parsed() -> None:
    with pytest.raises(SpecError, match=r"f.yaml: The file has 4000001 bytes. Allowed: 4000000. Is this a data file"):
        parse(b"#" * 4_000_001, "f.yaml")


def test_a_large_flat_file_passes_the_depth_check() -> None:
    text = "".join(f"k{i}: [{i}, {{a: {i}}}]\n" for i in range(1000))
    assert len(read(text)) == 1000  # type: ignore[arg-type]

"""`pipelines check` lists every fault once, however many ways there are to come across it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Answer, Folder

#: what is changed in which file, and how the one line begins that tells of it
PIPELINE, SAVED = "defs/sales/orders.yaml", "defs/connectors.yaml"


def changed(orders: Folder, name: str, before: str, after: str) -> None:
    path = orders.root / name
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def told(answer: Answer) -> list[str]:
    """The lines about faults."""
    *lines, total = answer.err.splitlines()
    assert total == ("1 error." if len(lines) == 1 else f"{len(lines)} errors.")
    return lines


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        (SAVED, "format: csv", "format: cvs", f"{SAVED}:1: Connector `drops` (type files): `format` is 'cvs'"),
        (SAVED, "root: in, ", "", f"{SAVED}:1: Connector `drops` (type files): the key `root` is missing."),
        (PIPELINE, "connector: drops", "connector: {type: files, root: in, format: x}", f"{PIPELINE}:4: Connector `o"),
        (PIPELINE, "quality:", "quality:\n  schema: no_module:it", f"{PIPELINE}:1: `quality.schema` of pipeline"),
        (
            PIPELINE,
            "quality:",
            "transforms: [function: no_module:it]\nquality:",
            f"{PIPELINE}:8: Transform `function 1",
        ),
        (
            PIPELINE,
            "field: at",
            "field: att",
            f"{PIPELINE}:1: Pipeline `orders` names `att` as the cursor, which is no",
        ),
    ],
)
def test_what_is_found_again_on_the_way_to_the_system(
    orders: Folder, name: str, before: str, after: str, said: str
) -> None:
    changed(orders, name, before, after)
    (line,) = told(orders.type("check", "--connect"))
    assert line.startswith(said)
    assert len(orders.type("check", "--connect", "--json").json["errors"]) == 1


def test_a_connection_of_two_pipelines(orders: Folder) -> None:
    second = (orders.root / PIPELINE).read_text().replace("orders", "second").replace("second.csv", "orders.csv")
    orders.write("defs/second.yaml", second)
    changed(orders, SAVED, "format: csv", "format: cvs")
    assert len(told(orders.type("check", "--connect"))) == 1


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("drops: {", "drops: [", ":1: Not valid YAML"),
        ("drops: {", "warehouse: {}\ndrops: {", ":3: Key `warehouse` is written twice, first in line 1."),
        ("drops: {type: files, root: in, format: csv}", "drops: 5", ":1: Connector `drops` must be a mapping"),
        ("drops: {type: files, ", "drops: {", ":1: Connector `drops` must be a mapping with a `type`."),
    ],
)
def test_connections_that_cannot_be_understood_are_not_unknown_too(
    orders: Folder, before: str, after: str, said: str
) -> None:
    changed(orders, SAVED, before, after)
    (line,) = told(orders.type("check"))
    assert line.startswith(SAVED + said)


def test_beside_one_of_them_an_unknown_one_is_told(orders: Folder) -> None:
    changed(orders, SAVED, "drops: {type: files, ", "drops: {")
    changed(orders, PIPELINE, "connector: warehouse", "connector: warehuse")
    first, second = told(orders.type("check"))
    assert first.startswith(f"{SAVED}:1: Connector `drops` must be a mapping")
    assert second.startswith(f"{PIPELINE}:13: Unknown connector `warehuse`.")


@pytest.mark.parametrize(
    ("before", "after", "key", "meant"),
    [
        ("source:", "sorce:", "sorce", "source"),
        ("connector: drops", "conector: drops", "conector", "connector"),
        ("field: at", "feld: at", "feld", "field"),
        ("fields: [amount]", "field: [amount]", "field", "fields"),
    ],
)
def test_a_misspelt_key_is_not_missing_too(orders: Folder, before: str, after: str, key: str, meant: str) -> None:
    changed(orders, PIPELINE, before, after)
    (line,) = told(orders.type("check"))
    assert f"Unknown key `{key}` in " in line
    assert line.endswith(f"Did you mean `{meant}`?")


def test_a_key_that_is_missing_beside_an_unknown_one_is_told(orders: Folder) -> None:
    changed(orders, PIPELINE, "connector: drops", "foo: drops")
    assert len(told(orders.type("check"))) == 2

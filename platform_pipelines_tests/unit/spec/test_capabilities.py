"""What the connectors of a pipeline can do is asked of whoever knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines.errors import SpecError, SpecErrors
from platform_pipelines.spec import Capabilities, load_catalog

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.spec.transform import TransformSpec

PIPELINE = """\
name: p
source: {connector: {type: memory}, stream: s}
destinations: [{connector: {type: logger}}]
"""
CONNECTORS = "logger: {type: logger}"


ABLE = {
    "memory": Capabilities(
        source=True,
        destination=True,
        modes=frozenset({"append", "merge"}),
        keys=frozenset({"type", "rows"}),
        source_options=frozenset({"where"}),
    ),
    "logger": Capabilities(source=False, destination=True, modes=frozenset({"append"}), keys=frozenset({"type"})),
    "sql": Capabilities(source=True, destination=False, keys=frozenset({"type", "url"})),
}


def able(type_name: str) -> Capabilities:
    if type_name not in ABLE:
        msg = f"Unknown connector type `{type_name}`. Allowed: {', '.join(ABLE)}."
        raise SpecError(msg)
    return ABLE[type_name]


@pytest.fixture
def defs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "defs"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("source", "destination", "message"),
    [
        ("connector: {type: logger}", "connector: {type: memory}", "defs/p.yaml:3: Connector `p.source` (type logger) can only be loaded, not read. Choose another source."),
        ("connector: {type: memory}", "connector: {type: sql}", "defs/p.yaml:6: Connector `p.destinations.sql` (type sql) can only be read, not loaded. Choose another destination."),
        ("connector: {type: memory}", "{connector: logger, mode: merge, key: [a]}", "defs/p.yaml:6: Connector `logger` (type logger) cannot load with mode merge. Allowed: append."),
        ("connector: {type: mem}", "connector: logger", "defs/p.yaml:3: Connector `p.source`: Unknown connector type `mem`. Allowed: memory, logger, sql."),
        ("connector: {type: memory, row: 1}", "connector: logger", "defs/p.yaml:3: Unknown key `row` of connector `p.source` (type memory). Allowed: rows, type. Did you mean `rows`?"),
        ("connector: {type: memory}\n  options: {were: x}", "connector: logger", "defs/p.yaml:4: Unknown option `were` of source connector `p.source` (type memory). Allowed: where. Did you mean `where`?"),
        ("connector: {type: sql}\n  options: {where: x}", "connector: logger", "defs/p.yaml:4: Unknown option `where` of source connector `p.source` (type sql). Allowed: there are none."),
        ("connector: loger", "connector: logger", "defs/p.yaml:3: Unknown connector `loger`. Allowed: logger. Did you mean `logger`? Add it to defs/connectors.yaml, or write an inline mapping {type: …}."),
    ],
)  # fmt: skip
def test_what_connectors_cannot_do(defs: Path, source: str, destination: str, message: str) -> None:
    (defs / "connectors.yaml").write_text(CONNECTORS, encoding="utf-8")
    text = f"name: p\nsource:\n  {source}\n  stream: s\ndestinations:\n  - {destination}\n"
    (defs / "p.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecErrors) as caught:
        load_catalog(defs, able)
    assert str(caught.value) == message


def test_saved_connectors_are_checked_with_the_line_of_the_key(defs: Path) -> None:
    (defs / "connectors.yaml").write_text("a:\n  type: sql\n  urll: x\nb: {type: nope}\n", encoding="utf-8")
    with pytest.raises(SpecErrors) as caught:
        load_catalog(defs, able)
    assert str(caught.value).splitlines() == [
        "defs/connectors.yaml:3: Unknown key `urll` of connector `a` (type sql). Allowed: type, url. Did you mean `url`?",
        "defs/connectors.yaml:4: Connector `b`: Unknown connector type `nope`. Allowed: memory, logger, sql.",
    ]


def test_transforms_are_checked_by_whoever_knows_them(defs: Path) -> None:
    text = PIPELINE + "transforms:\n  - filter: a\n  - mask: {a: b}\n"
    (defs / "p.yaml").write_text(text, encoding="utf-8")

    def check(transform: TransformSpec) -> None:
        if transform.kind == "mask":
            msg = "Unknown mask 'b' for `a`. Allowed: sha256, redact."
            raise SpecError(msg)

    with pytest.raises(SpecErrors) as caught:
        load_catalog(defs, check_transform=check)
    assert str(caught.value) == "defs/p.yaml:6: Unknown mask 'b' for `a`. Allowed: sha256, redact."

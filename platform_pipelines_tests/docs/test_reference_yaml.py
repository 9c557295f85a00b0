"""The YAML of the pages on rules and transforms is what the code takes."""

from __future__ import annotations

from typing import Any

import pytest

from platform_pipelines.spec.parse import parse
from platform_pipelines.spec.quality import QualitySpec
from platform_pipelines.spec.transform import KINDS, SETTINGS, TransformSpec
from platform_pipelines.transforms import chain
from platform_pipelines_tests.docs.pages import ROOT, Block, blocks
from platform_pipelines_tests.refusals import refusal


def fragments(name: str) -> list[Any]:
    page = ROOT / "docs" / "reference" / name
    return [pytest.param(block, id=f"{name}:{block.line}") for block in blocks(page) if block.language == "yaml"]


@pytest.mark.parametrize("block", fragments("rules.md"))
def test_quality_fragments_are_valid(block: Block) -> None:
    body = parse(block.body.encode(), "page")
    assert QualitySpec.model_validate(body).model_dump(by_alias=True, exclude_defaults=True).keys() <= body.keys()


@pytest.mark.parametrize("block", fragments("transforms.md"))
def test_transform_fragments_are_valid(block: Block) -> None:
    said = {}
    for item in parse(block.body.encode(), "page"):
        settings = {key: item[key] for key in SETTINGS if key in item}
        ((kind, body),) = ((key, value) for key, value in item.items() if key not in SETTINGS)
        said[kind] = refusal(chain.check, [TransformSpec(kind=kind, body=body, **{"label": kind, **settings})])
    assert said
    assert set(said.values()) == {None}, said


def test_every_kind_has_a_fragment() -> None:
    page = (ROOT / "docs" / "reference" / "transforms.md").read_text()
    assert [kind for kind in KINDS if f"\n- {kind}:" not in page] == []

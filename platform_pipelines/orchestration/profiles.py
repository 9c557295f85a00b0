"""Column profiles as metadata: a table with a small histogram in each line."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.engine.report import Validated
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from platform_pipelines.orchestration.metadata import Metadata
    from platform_pipelines.orchestration.stages import Report
    from platform_pipelines.quality.profile import ColumnProfile

_HEAD = "| column | type | nulls | distinct | min | max | distribution |\n|---|---|---|---|---|---|---|\n"


def profile_metadata(report: Report) -> Metadata:
    """The profile of the rows to load, where there is one."""
    if not isinstance(report, Validated) or not report.profile:
        return {}
    return {"profile": dg.MetadataValue.md(_HEAD + "\n".join(_line(column) for column in report.profile))}


def _line(column: ColumnProfile) -> str:
    texts = [column.name, column.type, f"{column.nulls:,}", f"{column.distinct:,}", column.min or "", column.max or ""]
    return f"| {' | '.join(_cell(text) for text in texts)} | {_image(column)} |"


def _image(column: ColumnProfile) -> str:
    from platform_pipelines.quality.histogram import png

    if not column.bars:
        return ""
    return f"![{len(column.bars)} bars](data:image/png;base64,{base64.b64encode(png(column.bars)).decode()})"


def _cell(text: str) -> str:
    """A value as it may stand in a table of Markdown: on one line, nothing in it read as markup."""
    plain = " ".join(mask(text).split())
    return "".join(f"\\{letter}" if letter in r"\`*_[]<>|!#" else letter for letter in plain)

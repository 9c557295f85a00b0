"""How further pages are asked for, as ``connectors.yaml`` says it. Doing so is left to ``rest_pagers``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from platform_pipelines.connectors.rest_paths import JsonPath
from platform_pipelines.spec.base import Count, Frozen, Positive, Text

_MOST_PAGES = 100_000


class Pages(Frozen):
    """What all kinds have in common.

    Attributes:
        max_pages: more pages than this are an error; of one parent's record, where there is a parent.
        repeated: whether a page with the same records as one before is an error; one with the same token always is.
    """

    max_pages: Positive = Field(default=_MOST_PAGES, description="More pages than this are an error.")
    repeated: Literal["fail", "allow"] = Field(
        default="fail", description="Whether a page with the same records as one before is an error."
    )


class Asked(Pages):
    """What kinds have in common that ask by parameters.

    Attributes:
        place: where these go; with POST in the body if not given, else in the query.
    """

    place: Literal["query", "body"] | None = Field(
        default=None, alias="in", description="Where the parameters go: `query`, or `body`, as with POST by default."
    )


class NoPages(Pages):
    """One answer holds everything."""

    type: Literal["none"] = "none"


class PageNumbers(Asked):
    """Pages by number. They end with ``total``, else with a page that has no element."""

    type: Literal["page"] = "page"
    param: Text = Field(default="page", description="Parameter that takes the number.")
    start: Count = Field(default=1, description="Number of the first page.")
    size_param: Text | None = Field(default=None, description="Parameter that takes the size.")
    size: Positive | None = Field(default=None, description="Records asked for by page.")
    total: JsonPath | None = Field(default=None, description="Leads to the number of pages.")
    empty_pages: Positive = Field(default=1, description="Pages without an element in a row that are the end.")
    size_change: Literal["fail", "allow"] = Field(
        default="fail", description="Whether a page that is shorter than the first, and not the last, is an error."
    )


class Offsets(Asked):
    """Pages by the number of records before them. They end with ``total``, else with a page that has no element."""

    type: Literal["offset"] = "offset"
    param: Text = Field(default="offset", description="Parameter that takes the offset.")
    start: Count = Field(default=0, description="Offset of the first record.")
    limit_param: Text | None = Field(default="limit", description="Parameter that takes the size.")
    limit: Positive | None = Field(default=None, description="Records asked for by page.")
    total: JsonPath | None = Field(default=None, description="Leads to the number of records.")


class CursorTokens(Asked):
    """Each page names a token for the next. They end where there is none."""

    type: Literal["cursor"] = "cursor"
    param: Text = Field(description="Parameter that takes the token; in the body its path there.")
    path: JsonPath = Field(description="Leads to the token.")
    has_more: JsonPath | None = Field(default=None, description="Leads to a value that is false on the last page.")


class NextLinks(Pages):
    """Each page holds the URL of the next. They end where there is none."""

    type: Literal["next_link"] = "next_link"
    path: JsonPath = Field(description="Leads to the URL.")


class LinkHeaders(Pages):
    """The header ``Link`` names the next page (RFC 8288). They end where it does not."""

    type: Literal["link_header"] = "link_header"


class AutoPages(Pages):
    """Found out from the first answer."""

    type: Literal["auto"] = "auto"


def _kind(value: Any) -> Any:  # noqa: ANN401 - any YAML value or a model
    if isinstance(value, dict):
        return value.get("type", "auto")
    return getattr(value, "type", None)


Pagination = Annotated[
    Annotated[NoPages, Tag("none")]
    | Annotated[PageNumbers, Tag("page")]
    | Annotated[Offsets, Tag("offset")]
    | Annotated[CursorTokens, Tag("cursor")]
    | Annotated[NextLinks, Tag("next_link")]
    | Annotated[LinkHeaders, Tag("link_header")]
    | Annotated[AutoPages, Tag("auto")],
    Discriminator(_kind),
]

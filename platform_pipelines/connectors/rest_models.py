"""What ``connectors.yaml`` says of a stream of an HTTP API: path, records, paging, cursor, errors.

What is done with it is left to the other ``rest_`` modules.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from platform_pipelines.connectors.rest_paging_models import AutoPages, Pagination
from platform_pipelines.connectors.rest_paths import JsonPath
from platform_pipelines.spec.base import Flag, Frozen, Text

#: ``{parent.field}`` in a path, a parameter or the body
PLACEHOLDER = re.compile(r"\{(?P<stream>[A-Za-z_][\w-]*)\.(?P<field>[\w.-]+)\}")
_FORMATS = ("iso8601", "epoch", "epoch_ms")


def _is_format(text: str) -> str:
    if text not in _FORMATS and "%" not in text:
        msg = f"{text!r} is not a format. Write {', '.join(_FORMATS)}, or a strftime pattern such as %Y-%m-%d"
        raise ValueError(msg)
    return text


Format = Annotated[str, AfterValidator(_is_format)]
Column = Annotated[str, StringConstraints(min_length=1)]


class CursorParam(Frozen):
    """How the API is asked for what is new.

    Attributes:
        param: parameter that takes the watermark; not needed where ``{cursor}`` stands in ``params`` or ``body``.
        until: parameter that takes the upper bound, where there is one.
        place: where these go; with POST in the body if not given, else in the query.
        format: how the value is written.
        capped: whether records that changed since the read began, by the server's clock, are left to the next one.
            Where records do not come in the order of the cursor, one that changes meanwhile is missed without it.
    """

    param: Text | None = Field(default=None, description="Parameter that takes the watermark.")
    until: Text | None = Field(default=None, description="Parameter that takes the upper bound.")
    place: Literal["query", "body"] | None = Field(
        default=None, alias="in", description="Where these go: `query`, or `body`, as with POST by default."
    )
    format: Format = Field(default="iso8601", description="`iso8601`, `epoch`, `epoch_ms` or a strftime pattern.")
    capped: Flag = Field(
        default=False, description="Records that changed since the read began, by the server's clock, come next time."
    )


class Lookup(Frozen):
    """A list of values that the API itself gives, for ``{name}`` in parameters and body.

    Attributes:
        path: under ``base_url``.
        records: leads to the array of records; found by itself if not given.
        field: the field of each record that is wanted.
    """

    path: Text = Field(description="Under `base_url`.")
    records: JsonPath | None = Field(default=None, description="Leads to the array of records.")
    field: Text = Field(description="The field of each record that is wanted.")


class ErrorBody(Frozen):
    """How the API says in a body of status 200 that something went wrong.

    Attributes:
        path: leads to the value that tells.
        ok: values that mean that all is well; without them, any value that is not null, false or empty is an error.
        retry: values that mean that it may pass.
        message: leads to what the message should show.
    """

    path: JsonPath = Field(description="Leads to the value that tells.")
    ok: tuple[Any, ...] | None = Field(
        default=None, description="Values that mean that all is well; without it, null, false and empty ones do."
    )
    retry: tuple[Any, ...] = Field(default=(), description="Values that mean: try again.")
    message: JsonPath | None = Field(default=None, description="Leads to the text that the error shows.")


class RestStream(Frozen):
    """One stream.

    Attributes:
        path: under ``base_url``; ``{parent.field}`` stands for a field of each record of another stream.
        method: GET, or POST for a search.
        params: the query.
        headers: sent with the requests of this stream.
        body: the JSON body of a POST.
        records: leads to the array of records; found by itself if not given.
        empty_when_missing: whether an answer without ``records`` is an empty page and no error.
        pagination: how further pages are asked for.
        cursor: how the API is asked for what is new.
        key: the fields that identify a record.
        order: ``ascending`` where records come in the order of the cursor: then a long read has checkpoints.
        nested: whether objects and arrays are kept as JSON text or as structures.
        explode: a field that holds an array: each of its elements becomes a row.
        types: SQL types by field.
        error: errors in answers of status 200.
        not_found: whether 404 is an error or means that there is nothing.
        include: columns from parents: ``{company: companies.id}``; those of the placeholders if not given.
        lookups: lists that the API itself gives, by the name that stands in braces where they go.
        whole: keys that differ where there is no watermark to ask from; an empty one takes the key away.
    """

    path: str = Field(description="Under `base_url`; `{parent.field}` stands for a field of each record of `parent`.")
    method: Literal["GET", "POST"] = Field(default="GET", description="POST for a search with a body.")
    params: dict[str, Any] = Field(default_factory=dict, description="The query.")
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with the requests of this stream.")
    body: dict[str, Any] | None = Field(default=None, description="The JSON body of a POST.")
    records: JsonPath | None = Field(
        default=None, description="Leads to the array of records, dotted or JSONPath; found by itself if not given."
    )
    empty_when_missing: Flag = Field(
        default=False, description="Whether an answer without `records` is an empty page, and no error."
    )
    pagination: Pagination = Field(default_factory=AutoPages, description="How further pages are asked for.")
    cursor: CursorParam = Field(default_factory=CursorParam, description="How the API is asked for what is new.")
    key: tuple[Column, ...] = Field(default=(), description="The fields that identify a record.")
    order: Literal["ascending"] | None = Field(
        default=None, description="Records come in the order of the cursor, so a long read may have checkpoints."
    )
    nested: Literal["json", "struct"] = Field(
        default="json", description="Objects and arrays as JSON text, or as structures."
    )
    explode: Column | None = Field(default=None, description="A field that holds an array; each element becomes a row.")
    types: dict[str, str] = Field(default_factory=dict, description="SQL types by field.")
    error: ErrorBody | None = Field(default=None, description="Errors in answers of status 200.")
    not_found: Literal["fail", "empty"] = Field(
        default="fail", description="Whether 404 is an error or means that there is nothing."
    )
    include: dict[Column, str] | None = Field(
        default=None, description="Columns from parents; those of the placeholders if not given."
    )
    lookups: dict[str, Lookup] = Field(
        default_factory=dict, description="Lists that the API itself gives, by the name that stands in braces."
    )
    whole: dict[str, Any] | None = Field(
        default=None, description="Keys that differ where there is no watermark to ask from."
    )

    @model_validator(mode="after")
    def _check(self) -> RestStream:
        if self.body is not None and self.method != "POST":
            msg = "`body` needs `method: POST`"
            raise ValueError(msg)
        if self.method != "POST" and "body" in {self.cursor.place, getattr(self.pagination, "place", None)}:
            msg = "`in: body` needs `method: POST`"
            raise ValueError(msg)
        parents = {match["stream"] for match in self.placeholders()} - {"cursor"}
        if len(parents) > 1:
            msg = f"the placeholders name {' and '.join(sorted(parents))}; a stream has one parent"
            raise ValueError(msg)
        for column, source in (self.include or {}).items():
            if source.split(".")[0] not in parents:
                msg = f"`include.{column}` names {source!r}; write a field of the stream that a placeholder names"
                raise ValueError(msg)
        try:
            self.read_whole()
        except ValidationError as error:
            first = error.errors()[0]
            msg = f"`whole.{'.'.join(map(str, first['loc']))}`: {first['msg'].removeprefix('Value error, ')}"
            raise ValueError(msg) from None
        return self

    def read_whole(self) -> RestStream:
        """The stream as it is read without a watermark."""
        if self.whole is None:
            return self
        given = {name: getattr(self, name) for name in self.model_fields_set - {"whole"}}
        return RestStream.model_validate({**given, **self.whole})

    def placed(self, place: Literal["query", "body"] | None) -> Literal["query", "body"]:
        """Where parameters go."""
        return place or ("body" if self.method == "POST" else "query")

    @property
    def parent(self) -> str | None:
        """The stream whose records feed this one."""
        return next((match["stream"] for match in self.placeholders()), None)

    def placeholders(self) -> list[re.Match[str]]:
        """All ``{parent.field}``."""
        return list(PLACEHOLDER.finditer("\0".join([self.path, *texts(self.params), *texts(self.body)])))

    def columns_from_parent(self) -> dict[str, str]:
        """Field of the parent by the column that it becomes."""
        if self.include is not None:
            return {column: source.split(".", 1)[1] for column, source in self.include.items()}
        return {f"{m['stream']}_{m['field']}".replace(".", "_"): m["field"] for m in self.placeholders()}


def texts(value: Any) -> list[str]:  # noqa: ANN401 - any YAML value
    """All texts in a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list | tuple) else []

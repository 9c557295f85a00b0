"""What ``connectors.yaml`` says of a table of an HTTP API: requests, bodies, and what answers mean.

What is done with it is left to the other ``http_`` modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from platform_pipelines.connectors.http_template import has_places
from platform_pipelines.connectors.rest_paths import JsonPath
from platform_pipelines.spec.base import Flag, Frozen, Text

Method = Literal["POST", "PUT", "PATCH", "DELETE"]
Status = Annotated[int, Field(strict=True, ge=400, le=499)]
#: ``idempotency`` of an API that has no such thing
NO_KEY = "none"


class Results(Frozen):
    """What an answer says of each record."""

    path: JsonPath | None = Field(
        default=None, description="Leads to the list of results of a batch; default: the answer itself."
    )
    match: Mapping[Text, JsonPath] = Field(
        default_factory=dict,
        description="Column, and where its value stands in a result: which record it is about; default: by order.",
    )
    ok: JsonPath | None = Field(default=None, description="Leads to what says that the record was taken.")
    values: tuple[Any, ...] = Field(default=(), description="Values of `ok` that say so; default: any that is true.")
    error: JsonPath | None = Field(
        default=None, description="Leads to the reason of a refusal; without `ok`, a record with one is refused."
    )


class Batch(Frozen):
    """Many records in one request."""

    body: Any = Field(default="{records}", description="Template of the request; `{records}` are those of `body`.")


class Delete(Frozen):
    """How a record is deleted, where the rows say so."""

    path: Text | None = Field(default=None, description="Default: the table's path.")
    method: Method = "DELETE"
    body: Any = Field(default=None, description="Template; default: no body.")


class HttpTable(Frozen):
    """How records of one table are written."""

    path: Text = Field(description="Under base_url; `{column}` stands for a value of the record.")
    method: Method | None = Field(
        default=None, description="Default: POST to append, PUT to merge, PATCH to update, DELETE to delete."
    )
    params: Mapping[str, str] = Field(default_factory=dict, description="Added to the query.")
    headers: Mapping[str, str] = Field(default_factory=dict, description="Sent with each request.")
    body: Any = Field(default=None, description="Template of a record; default: all columns.")
    omit_nulls: Flag = Field(default=False, description="Whether fields that are NULL are left out of the body.")
    batch: Batch | None = Field(default=None, description="Send `batch_size` records in one request.")
    idempotency: Text = Field(
        default="Idempotency-Key",
        description="Header by which the API knows a request it had before; `none` if it has no such header.",
    )
    results: Results = Field(default_factory=Results, description="What an answer says of each record.")
    existing: tuple[Status, ...] = Field(default=(), description="Statuses that say: the record is there already.")
    missing: tuple[Status, ...] = Field(
        default=(404, 410), description="Statuses of an update or delete that say: there is no such record."
    )
    delete: Delete | None = Field(default=None, description="How rows that are deletes are sent.")

    @model_validator(mode="after")
    def _one_path(self) -> Self:
        if self.batch is not None and has_places(self.path):
            msg = f"the path {self.path!r} names a column, but a batch has many records. Remove `batch`, or the column"
            raise ValueError(msg)
        return self

"""HTTP APIs declared in YAML, as a source.

What is declared is in ``rest_models``; requests, paging, parents and reading each
have a module ``rest_…`` of their own, authentication and retries ``http``.
"""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, ValidationError, model_validator

from platform_pipelines.connectors import rest_read
from platform_pipelines.connectors.base import Connector
from platform_pipelines.connectors.rest_ahead import ahead
from platform_pipelines.connectors.rest_fetch import Asking
from platform_pipelines.connectors.rest_models import RestStream
from platform_pipelines.connectors.rest_pagers import Turn, pager_of
from platform_pipelines.connectors.rest_parents import fetch
from platform_pipelines.connectors.rest_preset import expanded
from platform_pipelines.connectors.rest_request import build
from platform_pipelines.connectors.rest_resume import Place
from platform_pipelines.connectors.rest_values import check_place, looked_up, with_values
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.http.masking import mask_text
from platform_pipelines.http.settings import HttpSettings
from platform_pipelines.http.target import absolute, with_params
from platform_pipelines.model import ReadPlan, Stream, StreamInfo, Window

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from platform_pipelines.connectors.rest_fetch import Fetched
    from platform_pipelines.http.client import Client
    from platform_pipelines.model import Page

#: the stream that says what those look like that are not named
ANY = "*"
_PAGES_AHEAD = 4
#: times that a check asks again at most
_CHECKS = 2


def _named(streams: Mapping[str, RestStream]) -> Mapping[str, RestStream]:
    if not set(streams) - {ANY}:
        msg = f"name one stream at least; `{ANY}` says what others look like"
        raise ValueError(msg)
    for name, spec in streams.items():
        chain = [name]
        while (parent := streams[chain[-1]].parent) is not None:
            if parent not in streams:
                known = ", ".join(streams)
                msg = f"stream `{chain[-1]}` names the parent `{parent}`, which is no stream. Streams: {known}"
                raise ValueError(msg)
            if parent in chain:
                msg = f"the streams {' → '.join([*chain, parent])} feed each other in a circle"
                raise ValueError(msg)
            chain.append(parent)
        if spec.order and spec.parent:
            msg = f"stream `{name}` has a parent, so its records have no order in all. Leave `order` out"
            raise ValueError(msg)
    return streams


class RestConnector(HttpSettings, Connector):
    """An HTTP API.

    Attributes:
        preset: what is known of the API already: a name, or a YAML file under the project's root.
        values: what the preset asks for; the names stand in braces in paths, parameters and bodies.
        declared: ``streams`` in the YAML: what the API offers, by name; `*` says what others look like.
    """

    paths: ClassVar[frozenset[str]] = frozenset({"state"})
    source_options: ClassVar[frozenset[str]] = frozenset({"params", "types", "values"})

    type: str = "rest"
    preset: str | None = None
    values: Mapping[str, Any] = Field(default_factory=dict)
    declared: Annotated[dict[str, RestStream], AfterValidator(_named)] = Field(alias="streams", min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, data: Any) -> Any:  # noqa: ANN401 - any YAML value
        return expanded({"preset": cls.model_fields["preset"].default, **data}) if isinstance(data, Mapping) else data

    @classmethod
    def complete(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration with the keys of its preset."""
        try:
            return expanded({"preset": cls.model_fields["preset"].default, **config})
        except ValueError:  # reported where the configuration is validated
            return dict(config)

    @classmethod
    def stream_names(cls, config: Mapping[str, Any]) -> tuple[str, ...] | None:
        """The declared streams; None where others are read by their name, or the configuration is wrong."""
        streams = cls.complete(config).get("streams")
        return tuple(streams) if isinstance(streams, Mapping) and ANY not in streams else None

    def check(self) -> None:
        """Ask for the first page of the first stream that has no parent; who checks does not wait long."""
        name = next(name for name, spec in self.declared.items() if spec.parent is None and name != ANY)
        patience = self.retries.model_copy(update={"max": min(self.retries.max, _CHECKS)})
        with self.model_copy(update={"retries": patience}).client() as client:
            streams = self._all(Stream(name), Window(), client)
            next(fetch(streams, Asking(name, streams[name], client, Window()), 1), None)

    def streams(self) -> list[StreamInfo]:
        """The declared streams, by name."""
        return [StreamInfo(name, key=spec.key) for name, spec in sorted(self.declared.items()) if name != ANY]

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:  # noqa: ANN401 - any JSON value
        """Read all pages; rows outside of the window, which an API may return, are left out."""
        ordered = self._spec(stream, window).order == "ascending" and window.field is not None
        if resume is not None and not ordered:
            msg = (
                f"The last read of stream {stream.name!r} broke off and goes on by its order, which is gone. "
                "Declare `order: ascending` until a run is through, or begin anew with `--full-refresh`."
            )
            raise SpecError(msg)
        place = Place(stream.name, window.field or "", resume if ordered else None)
        within = place.window(window)
        with self.client() as client:
            streams = self._all(stream, within, client)
            spec = streams[stream.name]
            asking = Asking(stream.name, spec, client, within, eager=stream.limit is None)
            pages = fetch(streams, asking, self.concurrency)
            pages = ahead(pages, _PAGES_AHEAD) if stream.limit is None else _enough(pages, stream.limit)
            with contextlib.closing(pages):
                if ordered:
                    yield from rest_read.ordered(pages, spec, stream, within, place)
                else:
                    yield from rest_read.whole(pages, spec, stream, within)
            asking.exploded.warn(stream.name, spec.explode)

    def plan_read(self, stream: Stream, window: Window) -> ReadPlan:
        """The first request, secrets masked, and what is done with the answers."""
        spec = self._spec(stream, window)
        values = {match["field"]: match[0] for match in spec.placeholders()}
        first = pager_of(spec.pagination, spec.method).first() if spec.pagination.type != "auto" else Turn()
        request = build(spec, first, window, values)
        url = mask_text(with_params(absolute(self.base_url, request.url), request.params))
        for written in (*values.values(), *(f"{{{name}}}" for name in spec.lookups)):
            url = url.replace(written.replace("{", "%7B").replace("}", "%7D"), written)
        body = f" {json.dumps(request.json, ensure_ascii=False, default=str)}" if request.json is not None else ""
        notes = [f"stream {stream.name}", f"pagination {spec.pagination.type}"]
        if spec.parent:
            notes.append(f"for each record of {spec.parent}")
        return ReadPlan(f"{request.method} {url}{mask_text(body)} -- {', '.join(notes)}")

    def _all(self, stream: Stream, window: Window, client: Client) -> dict[str, RestStream]:
        """All streams as they are asked for now, parents whole, with the lists looked up that they need."""
        found = {stream.name: self._spec(stream, window)}
        parent = found[stream.name].parent
        while parent is not None:
            found[parent] = self._spec(Stream(parent, {"values": stream.options.get("values", {})}), Window())
            parent = found[parent].parent
        return {name: looked_up(name, spec, client) for name, spec in found.items()}

    def _spec(self, stream: Stream, window: Window) -> RestStream:
        """The stream, with what the pipeline adds, values filled in.

        Raises:
            InvalidData: there is none of that name.
            SpecError: an option has a value that is not allowed.
        """
        spec = self.declared.get(stream.name) or self.declared.get(ANY)
        if spec is None:
            near = difflib.get_close_matches(stream.name, self.declared, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            msg = (
                f"Stream {stream.name!r} is not declared in this connector.{hint} Streams: {', '.join(self.declared)}."
            )
            raise InvalidData(msg)
        chosen = spec if window.low is not None else spec.read_whole()
        try:
            options = {name: dict(stream.options.get(name, {})) for name in ("params", "types", "values")}
            added = {name: {**getattr(chosen, name), **options[name]} for name in ("params", "types")}
            values = {**self.values, **options["values"], "stream": stream.name}
            check_place(stream.name, spec, values, window)
            return with_values(RestStream.model_validate({**_plain(chosen), **added}), values)
        except (ValidationError, TypeError, ValueError) as error:
            msg = (
                f"`source.options` of stream {stream.name!r}: {error}. "
                "Write `params`, `types` and `values` as mappings."
            )
            raise SpecError(msg) from error


def _plain(spec: RestStream) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in spec.model_fields_set}


def _enough(pages: Iterator[Fetched], rows: int) -> Generator[Fetched]:
    """Pages until so many rows came."""
    for fetched in pages:
        yield fetched
        rows -= fetched.page.batch.num_rows
        if rows <= 0:
            return

"""Puts values in the places that a stream's path, parameters, headers and body name in braces.

Values come from the connection, the pipeline, and lists that the API itself gives.
Fields of parents and the watermark are left to ``rest_request``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from platform_pipelines.connectors.rest_fetch import Asking, Sequence
from platform_pipelines.connectors.rest_models import RestStream, texts
from platform_pipelines.connectors.rest_preset import filled
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.model import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_pipelines.connectors.rest_models import Lookup
    from platform_pipelines.http.client import Client


def with_values(spec: RestStream, values: Mapping[str, Any]) -> RestStream:
    """The stream with these values; a name whose value is empty is left for its lookup, if there is one."""
    known = {name: value for name, value in values.items() if value or name not in spec.lookups}
    in_path = {name: quote(str(value), safe="") for name, value in known.items() if not isinstance(value, list | dict)}
    lookups = {
        name: lookup.model_copy(update={"path": filled(lookup.path, in_path, listed=False)})
        for name, lookup in spec.lookups.items()
        if name not in known
    }
    changed = {
        "path": filled(spec.path, in_path, listed=False),
        "params": filled(spec.params, known, listed=False),
        "headers": filled(spec.headers, known, listed=False),
        "body": None if spec.body is None else filled(spec.body, known, listed=True),
        "lookups": lookups,
    }
    return spec.model_copy(update=changed)


def check_place(stream: str, spec: RestStream, values: Mapping[str, Any], window: Window) -> None:
    """Refuse values that only whole reads have a place for, where what changed is read: rows would lack them.

    Raises:
        SpecError: there is one.
    """
    if spec.whole is None or window.field is None:
        return
    own, whole = "\0".join(texts([spec.path, spec.params, spec.headers, spec.body])), "\0".join(texts(spec.whole))
    for name, value in values.items():
        if value and f"{{{name}}}" in whole and f"{{{name}}}" not in own:
            msg = (
                f"The value `{name}` is for whole reads of stream {stream!r}: a read of what changed since the last "
                f"run cannot ask for it. Leave it empty here (`source.options: {{values: {{{name}: []}}}}`), and give "
                "it to a pipeline of its own with `mode: full_refresh`."
            )
            raise SpecError(msg)


def looked_up(stream: str, spec: RestStream, client: Client) -> RestStream:
    """The stream with the lists that the API gives; one that no text names is not asked for.

    Raises:
        InvalidData: a record has no such field.
    """
    written = "\0".join(texts([spec.params, spec.body]))
    found = {
        name: _values(f"{stream} ({name})", lookup, client)
        for name, lookup in spec.lookups.items()
        if f"{{{name}}}" in written
    }
    return with_values(spec, found) if found else spec


def _values(shown: str, lookup: Lookup, client: Client) -> list[Any]:
    asked = RestStream.model_validate({"path": lookup.path, "records": lookup.records})
    found: list[Any] = []
    for fetched in Sequence(Asking(shown, asked, client, Window())).pages():
        batch = fetched.page.batch
        if batch.num_rows and lookup.field not in batch.schema.names:
            fields = json.dumps(batch.schema.names)
            msg = f"{fetched.shown}: the records have no field {lookup.field!r}. Fields: {fields}. Mend `lookups`."
            raise InvalidData(msg)
        found += batch.column(lookup.field).to_pylist() if batch.num_rows else []
    return found

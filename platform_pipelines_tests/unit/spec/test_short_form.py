"""The short form becomes the canonical one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from platform_pipelines.connectors.registry import check_config
from platform_pipelines.errors import SpecError, SpecErrors
from platform_pipelines.spec import Capabilities, Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines_tests.refusals import refusal

SHORT: dict[str, Any] = {
    "name": "contacts",
    "domain_id": "crm",
    "source": {
        "name": "hubspot",
        "stream": "contacts",
        "authentication": {"type": "api_key", "params": {"token": "${env://TOKEN}"}},
    },
    "destination": {"name": "logger", "config": {"dummy": "dummy"}},
    "engine": {"syncCursorInDBEvery": 5},
}
SAVED = Catalog(
    Path(),
    Path(),
    connectors={
        "warehouse": ConnectorSpec("warehouse", "duckdb", {"type": "duckdb", "path": "w"}),
        "console": ConnectorSpec("console", "logger", {"type": "logger"}),
        "crm": ConnectorSpec("crm", "rest", {"type": "rest", "base_url": "u"}),
    },
)


def capabilities(type_name: str) -> Capabilities:
    if type_name not in {"hubspot", "logger", "pg", "duckdb", "rest"}:
        msg = f"Unknown connector type `{type_name}`. Allowed: hubspot, logger, pg."
        raise SpecError(msg)
    keys = {
        "pg": {"type", "host", "password"},
        "logger": {"type"},
        "duckdb": {"type", "path"},
        "hubspot": {"type", "auth"},
        "rest": {"type", "auth", "base_url"},
    }[type_name]
    return Capabilities(
        source=type_name != "logger", destination=True, modes=frozenset({"append", "merge"}), keys=frozenset(keys)
    )


def read(catalog: Catalog | None = None, *, able: bool = True, **changes: Any) -> Any:
    return pipeline_from_config({**SHORT, **changes}, catalog, capabilities if able else None)


def refused(catalog: Catalog | None = None, **changes: Any) -> str:
    with pytest.raises(SpecErrors) as caught:
        read(catalog, **changes)
    return str(caught.value)


@pytest.mark.parametrize("able", [True, False])
def test_the_short_form(able: bool) -> None:  # noqa: FBT001 - a test's parameter
    spec = read(able=able)
    assert (spec.name, spec.domain, spec.source.stream, spec.source.checkpoint_pages) == (
        "contacts",
        "crm",
        "contacts",
        5,
    )
    assert spec.inline_connectors["contacts.source"].config == {
        "type": "hubspot",
        "auth": {"type": "bearer", "token": "${env://TOKEN}"},
    }
    (one,) = spec.destinations
    assert (one.name, one.table, one.mode) == ("logger", "contacts", "append")
    assert (one.buffer_size, one.buffer_flush_timeout, one.max_concurrent_threads) == (50, 600, 10)
    assert spec.inline_connectors[one.connector].config == {"type": "logger"}


def test_the_short_form_is_one_that_the_connector_takes() -> None:
    assert refusal(check_config, read(able=True).inline_connectors["contacts.source"]) is None


def test_a_key_under_a_name_stays_one() -> None:
    key = {"type": "api_key", "params": {"name": "X-Key", "value": "${env://KEY}"}}
    spec = read(source={**SHORT["source"], "authentication": key})
    assert spec.inline_connectors["contacts.source"].config["auth"] == {
        "type": "api_key",
        "name": "X-Key",
        "value": "${env://KEY}",
    }


def test_buffers_and_destination_keys_leave_the_config() -> None:
    config = {
        "path": "x.duckdb", "table": "raw.t", "mode": "upsert", "key": ["id"],
        "buffer_size": 1, "buffer_flush_timeout": "10m", "max_concurrent_threads": 2,
    }  # fmt: skip
    spec = read(destination={"name": "duckdb", "config": config})
    (one,) = spec.destinations
    assert (one.name, one.table, one.mode, one.key) == ("duckdb", "raw.t", "merge", ("id",))
    assert (one.buffer_size, one.buffer_flush_timeout, one.max_concurrent_threads) == (1, 600, 2)
    assert spec.inline_connectors[one.connector].config == {"type": "duckdb", "path": "x.duckdb"}


def test_names_of_saved_connectors() -> None:
    spec = read(
        SAVED,
        source={"name": "warehouse", "stream": "raw.t"},
        destination={"name": "warehouse", "config": {"table": "marts.t"}},
    )
    assert (spec.source.connector, spec.destinations[0].connector) == ("warehouse", "warehouse")
    assert spec.destinations[0].table == "marts.t"
    assert spec.inline_connectors == {}


def test_authentication_is_added_to_a_copy_of_a_saved_connector() -> None:
    source = {"name": "crm", "stream": "s", "authentication": {"type": "bearer", "params": {"token": "t"}}}
    spec = read(SAVED, source=source)
    assert spec.inline_connectors["contacts.source"].config == {
        "type": "rest",
        "base_url": "u",
        "auth": {"type": "bearer", "token": "t"},
    }


def test_a_type_without_auth_takes_the_parameters_as_its_own() -> None:
    source = {
        "name": "pg",
        "stream": "s",
        "authentication": {"type": "basic", "params": {"host": "h", "password": "p"}},
    }
    assert read(source=source).inline_connectors["contacts.source"].config == {
        "type": "pg",
        "host": "h",
        "password": "p",
    }


def test_logger_takes_any_setting_and_others_do_not() -> None:
    assert read(SAVED, destination={"name": "console", "config": {"dummy": 1}}).destinations[0].connector == "console"
    assert "Unknown key `dummy` in destination `warehouse`. Allowed: name, connector, table" in refused(
        SAVED, destination={"name": "warehouse", "config": {"dummy": 1}}
    )
    assert (
        "Unknown key `dummy` of connector `contacts.destinations.duckdb` (type duckdb). Allowed: path, type."
        in refused(destination={"name": "duckdb", "config": {"dummy": 1}})
    )


def test_a_destination_may_mix_forms() -> None:
    spec = read(SAVED, destination={"connector": "warehouse", "name": "w", "config": {"table": "t"}})
    assert (spec.destinations[0].name, spec.destinations[0].connector, spec.destinations[0].table) == (
        "w",
        "warehouse",
        "t",
    )


def test_transforms_keep_their_labels() -> None:
    spec = read(SAVED, transforms=[{"label": "Normalize email", "python": "return record"}])
    assert [(each.label, each.kind, each.body) for each in spec.transforms] == [
        ("Normalize email", "python", "return record")
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"domain": "x"}, "`domain_id` and `domain` mean the same. Remove `domain_id`."),
        ({"destinations": []}, "`destination` and `destinations` exclude each other. Keep `destinations`."),
        ({"source": {"name": "hubspot", "connector": "x", "stream": "s"}}, "`source` mixes two forms. Write `connector` and `stream`, or"),
        ({"source": {"authentication": {}, "stream": "s"}}, "`source` mixes two forms."),
        ({"source": {"name": "nope", "stream": "s"}}, "Connector `contacts.source`: Unknown connector type `nope`. Allowed: hubspot, logger, pg."),
        ({"source": {"name": "nope", "stream": "s", "authentication": {"params": {"x": 1}}}}, "Unknown connector type `nope`"),
        ({"source": {"name": "pg", "stream": "s", "authentication": "s3cret"}}, "`source.authentication` must be a mapping {type, params}."),
        ({"source": {"name": "pg", "stream": "s", "authentication": {"params": 1}}}, "`authentication.params` must be a mapping."),
        ({"source": {"name": "pg", "stream": "s", "authentication": {"parms": {}}}}, "Unknown key `parms` in `source.authentication`. Allowed: type, params. Did you mean `params`?"),
        ({"source": {"name": 3, "stream": "s"}}, '`connector` in `source` must be a text, not 3. Quote it: "3".'),
        ({"source": {"name": "pg", "stream": "s", "sheet": 1}}, "Unknown key `sheet` in `source`. Allowed: connector, stream, mode"),
        ({"destination": "logger"}, "`destinations[0]` in the pipeline must be a mapping, not 'logger'."),
        ({"destination": {"config": {}}}, "`destinations[0]` lacks `connector`."),
        ({"destination": {"name": "duckdb", "config": 1}}, "`destination.config` must be a mapping."),
        ({"engine": {"backend": {}}}, "Unknown setting backend in `engine`. Allowed: syncCursorInDBEvery."),
        ({"engine": 5}, "Unknown setting 5 in `engine`. Allowed: syncCursorInDBEvery."),
        ({"engine": {"syncCursorInDBEvery": 0}}, "`checkpoint_pages` in `source` is 0. Allowed: at least 1."),
    ],
)  # fmt: skip
def test_what_the_short_form_cannot_say(changes: dict[str, Any], message: str) -> None:
    text = refused(**changes)
    assert message in text
    assert "s3cret" not in text

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from platform_pipelines.errors import SecretError, SpecError
from platform_pipelines.orchestration.resources import ConnectorResource, resource_key
from platform_pipelines_tests.orchestration.conftest import CONNECTORS, ORDERS
from platform_pipelines_tests.orchestration.user_assets import stream_names

if TYPE_CHECKING:
    from platform_pipelines_tests.orchestration.conftest import Sandbox


def test_an_asset_of_someone_else_uses_a_connector_by_its_name(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS)
    own = dg.Definitions(assets=[stream_names], jobs=[dg.define_asset_job("names", [stream_names])])
    merged = dg.Definitions.merge(sandbox.definitions(), own)
    result = merged.resolve_job_def("names").execute_in_process(instance=instance)
    assert result.output_for_node("stream_names") == ["main.orders"]


def test_secrets_are_asked_for_when_the_connector_is_opened(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.write("connectors.yaml", CONNECTORS + 'vault: {type: duckdb, path: "${env://SHOP_FILE}"}\n')
    monkeypatch.delenv("SHOP_FILE", raising=False)
    resource = sandbox.definitions().resources["vault"] if sandbox.definitions().resources else None
    assert isinstance(resource, ConnectorResource)
    with pytest.raises(SecretError, match="SHOP_FILE is not set"):
        resource.open()
    monkeypatch.setenv("SHOP_FILE", "shop.duckdb")
    assert resource.open().model_dump()["path"] == sandbox.folder / "shop.duckdb"
    assert "SHOP_FILE" not in repr(resource)


def test_a_connector_that_is_gone_is_named(sandbox: Sandbox) -> None:
    resource = ConnectorResource(name="shop", defs=str(sandbox.folder / "defs"))
    sandbox.write("connectors.yaml", "warehouse: {type: duckdb, path: w.duckdb}\n")
    with pytest.raises(SpecError, match=r"There is no connector `shop` .* any more\. Connectors: warehouse\."):
        resource.open()


@pytest.mark.parametrize(
    ("connector", "key"),
    [
        ("warehouse", "warehouse"),
        ("my-db", "my_db"),
        ("io_manager", "io_manager_connector"),
        ("class", "class_connector"),
    ],
)
def test_keys_are_names_that_python_and_dagster_take(connector: str, key: str) -> None:
    assert resource_key(connector) == key

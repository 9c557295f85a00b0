"""Saved connectors as Dagster resources, for assets that people write themselves."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from platform_pipelines.connectors.registry import open_connector
from platform_pipelines.engine import open_project
from platform_pipelines.errors import SpecError
from platform_pipelines.spec.place import place_of

if TYPE_CHECKING:
    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.engine import Project

#: keys that mean something else to Dagster
_TAKEN = frozenset({"io_manager"})


class ConnectorResource(dg.ConfigurableResource["ConnectorResource"]):
    """A saved connector by its name.

    It holds no configuration: the connection is looked up, and its secrets are
    resolved, when it is opened.
    """

    name: str = Field(description="The connector's name in connectors.yaml.")
    defs: str = Field(description="The folder of pipelines; connectors.yaml lies in it or above.")

    def open(self) -> Connector:
        """The connector, ready for use; nothing is contacted yet.

        Raises:
            SpecError: its declaration is wrong, or it is not there any more.
            SecretError: a secret reference does not resolve.
        """
        project = open_project(Path(self.defs))
        catalog = project.catalog
        spec = catalog.connectors.get(self.name)
        if spec is None:
            known = ", ".join(catalog.connectors)
            file = place_of(Path(self.defs)).file
            msg = f"There is no connector `{self.name}` in {file} any more. Connectors: {known}."
            raise SpecError(msg)
        return open_connector(spec, project.root, project.state)


def connector_resources(project: Project) -> dict[str, ConnectorResource]:
    """A resource for each saved connector, under its name."""
    defs = str(project.catalog.defs)
    return {resource_key(name): ConnectorResource(name=name, defs=defs) for name in project.catalog.connectors}


def resource_key(connector: str) -> str:
    """The connector's name where Dagster and Python take it; else the nearest that they take."""
    key = re.sub(r"\W", "_", connector, flags=re.ASCII)
    return f"{key}_connector" if key in _TAKEN or keyword.iskeyword(key) or key[:1].isdigit() else key

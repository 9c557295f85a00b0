"""HubSpot as a source: the preset of that name under a type of its own. All else is left to ``rest``."""

from __future__ import annotations

from platform_pipelines.connectors.rest import RestConnector


class HubSpotConnector(RestConnector):
    """Contacts, companies, deals, tickets, owners and any other object of a HubSpot account."""

    type: str = "hubspot"
    preset: str | None = "hubspot"

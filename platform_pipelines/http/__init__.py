"""HTTP for connectors: one client that authenticates, keeps to rates, tries again and names its errors.

A connector takes its settings from :class:`settings.HttpSettings` and sends
:class:`exchange.Request` through the :class:`client.Client` that these open:

    class MyConnector(HttpSettings, Connector):
        def check(self) -> None:
            with self.client() as client:
                client.send(Request("GET", "/me"))

``Client.send`` returns an :class:`exchange.Response` of status 2xx, or of a
status that the caller allows; anything else is an error of
``platform_pipelines.errors`` without a secret in it. It may be called from
several threads at once. What requests mean, paging and records are left to the
connectors.
"""

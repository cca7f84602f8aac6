"""The NGSI-LD API over HTTP (NGSI-LD 1.9.1, 6)."""

from parvis.broker.api.app import NgsiLdApi, routes

__all__ = ["NgsiLdApi", "routes"]

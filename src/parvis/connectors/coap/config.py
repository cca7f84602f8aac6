"""`[connectors.coap]`: where it listens, and whom it trusts."""

from typing import Annotated

import msgspec

from parvis.kernel.identity import DEFAULT_TENANT


class CoapConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There is no DTLS: CoAP travels in the clear. With `is_closed_network` whoever reaches the port is believed to be
    the device that it says; without, each request shows an API key as `?key=`.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 5683
    tenant: str = DEFAULT_TENANT
    is_closed_network: bool = False
    max_body_bytes: Annotated[int, msgspec.Meta(ge=64, le=1_048_576)] = 65_536
    max_registrations: Annotated[int, msgspec.Meta(ge=1)] = 10_000

"""`[connectors.mqttbridge.<broker>]`: which brokers, what of theirs, and in whose name."""

import ssl
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from parvis.fleet.ways.connector import InvalidConnector
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.mqttwire.packets import Version
from parvis.mqttwire.topics import is_filter

PORTS = {"mqtt": 1883, "mqtts": 8883}
VERSIONS = {"3.1.1": Version.V311, "5.0": Version.V5}


class BrokerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`topics` are filters; without them those of all connectors that are on. The broker has `prefix` before each.

    `client_id` names the session that the broker keeps: two installations at one broker need different ones. With
    `sessions` of more than one, the broker shares the messages out among them, and each process may hold some.
    """

    url: str
    username: str | None = None
    password: str | None = None
    version: str = "5.0"
    tenant: str = DEFAULT_TENANT
    topics: tuple[str, ...] = ()
    prefix: str = ""
    client_id: str = ""
    sessions: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    session_expiry_h: Annotated[float, msgspec.Meta(gt=0, le=8760)] = 168
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    max_message_bytes: Annotated[int, msgspec.Meta(ge=1024, le=16_777_216)] = 262_144
    window: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 1024

    @property
    def is_tls(self) -> bool:
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or PORTS[parts.scheme]

    @property
    def protocol(self) -> Version:
        return VERSIONS[self.version]

    def open_security(self) -> ssl.SSLContext | None:
        """Read anew for each connection, so that a certificate that was renewed counts. Raises OSError."""
        if not self.is_tls:
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context


def check_broker(name: str, config: BrokerConfig) -> None:
    """Raises InvalidConnector."""
    for fault in _faults(config):
        raise InvalidConnector(f"{name}: {fault}")


def _faults(config: BrokerConfig) -> list[str]:
    faults = []
    try:
        parts = urlsplit(config.url)
        is_address = parts.scheme in PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return ["url is mqtt://HOST[:PORT], or mqtts:// for TLS"]
    if not is_address or parts.path.strip("/") or parts.query:
        faults.append("url is mqtt://HOST[:PORT], or mqtts:// for TLS")
    if parts.username is not None or parts.password is not None:
        faults.append('no password in the url: write username and password = "${VARIABLE}"')
    if config.version not in VERSIONS:
        faults.append(f"version is one of {', '.join(VERSIONS)}")
    if config.password is not None and config.username is None and config.version == "3.1.1":
        faults.append("MQTT 3.1.1 has no password without a username")
    if "+" in config.prefix or "#" in config.prefix:
        faults.append("prefix is a beginning of topics, without wildcards")
    faults += [f"{one!r} is no topic filter" for one in config.topics if not is_filter(one)]
    files = (config.ca_file, config.certificate_file, config.key_file)
    return faults + [f"there is no file {one}" for one in files if one is not None and not one.is_file()]

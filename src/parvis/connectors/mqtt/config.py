"""The listener's bounds. Everything a client can make grow has one."""

from dataclasses import dataclass
from pathlib import Path

from parvis.connectors.mqtt.acl import NO_RULES, Rules, read_rules
from parvis.connectors.mqtt.tls import TlsFiles
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.settings import InvalidSettings, MqttSettings

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """`anonymous` is the caller for clients without credentials on a loopback address; None refuses them.

    `receive_maximum` bounds the messages of one client that wait for their commit, `max_in_flight` those of all;
    beyond, nothing more is read. A batch that meets an overloaded store is tried `overload_retries` times more.
    `*_of_device` bound what one device with a credential of its own may take of what is there for all.
    `outgoing_*` bound what waits for one client, `all_mailboxes_bytes` what waits for all; sessions are kept for
    `longest_session_s` at most after their connection.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    anonymous: Caller | None = None
    max_packet_bytes: int = 262_144
    max_connections: int = 20_000
    receive_maximum: int = 1024
    max_in_flight: int = 16_384
    max_batch: int = 512
    concurrent_batches: int = 4
    overload_retries: int = 3
    overload_pause_s: float = 0.2
    connect_timeout_s: float = 10.0
    close_timeout_s: float = 5.0
    stop_timeout_s: float = 5.0
    recheck_every_s: float = 10.0
    max_connections_of_address: int = 5_000
    max_keepalive_s: int = 3_600
    max_client_id_bytes: int = 1_024
    max_topic_characters: int = 1_024
    max_topic_levels: int = 64
    topic_aliases: int = 32
    max_subscriptions: int = 100
    outgoing_window: int = 64
    outgoing_messages: int = 1000
    outgoing_bytes: int = 1_048_576
    all_mailboxes_bytes: int = 67_108_864
    max_retained: int = 10_000
    max_retained_bytes: int = 16_777_216
    max_retained_of_device: int = 100
    max_retained_bytes_of_device: int = 262_144
    max_sessions: int = 10_000
    max_sessions_of_device: int = 4
    longest_session_s: int = 604_800
    sweep_after_s: float = 60.0
    sweep_every_s: float = 3_600.0
    rules: Rules = NO_RULES


def listener_config(settings: MqttSettings) -> ListenerConfig:
    """Raises InvalidSettings."""
    anonymous = Caller(DEFAULT_TENANT, "system:mqtt-anonymous", Right.INGEST) if settings.anonymous else None
    return ListenerConfig(
        host=settings.host,
        port=settings.port,
        anonymous=anonymous,
        max_connections_of_address=settings.connections_of_address,
        longest_session_s=round(settings.session_days * _DAY_S),
        rules=read_rules(settings.rules),
    )


def find_tls_files(settings: MqttSettings) -> TlsFiles | None:
    """None where no TLS is wanted. Raises InvalidSettings."""
    if not settings.tls_certificate:
        return None
    if not settings.tls_key:
        raise InvalidSettings("mqtt.tls_certificate needs mqtt.tls_key beside it.")
    if settings.tls_clients == "must" and not settings.tls_client_ca:
        raise InvalidSettings("mqtt.tls_clients = must needs mqtt.tls_client_ca: whose certificates are good.")
    authority = Path(settings.tls_client_ca) if settings.tls_client_ca else None
    must = settings.tls_clients == "must"
    return TlsFiles(Path(settings.tls_certificate), Path(settings.tls_key), authority, must)

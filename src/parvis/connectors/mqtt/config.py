"""The listener's bounds. Everything a client can make grow has one."""

from dataclasses import dataclass

from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.settings import MqttSettings


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """`anonymous` is the caller for clients without credentials on a loopback address; None refuses them.

    `receive_maximum` bounds the messages of one client that wait for their commit, `max_in_flight` those of all;
    beyond, nothing more is read. A batch that meets an overloaded store is tried `overload_retries` times more.
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
    recheck_every_s: float = 10.0
    max_subscriptions: int = 100
    outgoing_window: int = 64
    outgoing_messages: int = 1000
    outgoing_bytes: int = 1_048_576
    max_retained: int = 1000


def listener_config(settings: MqttSettings) -> ListenerConfig:
    anonymous = Caller(DEFAULT_TENANT, "system:mqtt-anonymous", Right.INGEST) if settings.anonymous else None
    return ListenerConfig(host=settings.host, port=settings.port, anonymous=anonymous)

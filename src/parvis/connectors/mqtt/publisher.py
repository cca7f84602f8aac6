"""Notifications over MQTT (NGSI-LD 1.9.1, 7.2): taken once the endpoint's broker has acknowledged them."""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from secrets import token_hex
from urllib.parse import unquote, urlsplit

import msgspec

from parvis.broker.ports.notifications import TAKEN, OutboundNetwork, Receipt, Verdict
from parvis.broker.subscriptions.model import Endpoint
from parvis.broker.subscriptions.notification import Message, mqtt_payload
from parvis.connectors.mqtt.client import ConnectionEnded, MqttClient
from parvis.kernel.causes import Cause
from parvis.kernel.outbound import AddressRefused, CallFailed
from parvis.mqttwire.packets import Reason, Version

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_VERSIONS = {"mqtt3.1.1": Version.V311, "mqtt5.0": Version.V5}
_QOS = {"0": 0, "1": 1, "2": 2}
_IDLE_S = 120.0
_MOST_BROKERS = 256
_FAILED_FROM = 0x80
_FOR_GOOD = frozenset({Reason.TOPIC_NAME_INVALID, Reason.PACKET_TOO_LARGE, Reason.PAYLOAD_FORMAT_INVALID})
"""What the broker would say to the same message again."""


class Broker(msgspec.Struct, frozen=True):
    host: str
    port: int
    tls: bool
    version: Version
    username: str | None
    password: str | None


class Destination(msgspec.Struct, frozen=True):
    broker: Broker
    topic: str
    qos: int


class InvalidDestination(ValueError):
    pass


class MqttNotifications:
    """One connection for each broker and account, opened when it is needed and closed when it is not."""

    def __init__(self, network: OutboundNetwork, timeout_s: float) -> None:
        self._network = network
        self._timeout_s = timeout_s
        self._clients: dict[Broker, asyncio.Task[MqttClient]] = {}

    async def send(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Receipt:
        try:
            destination = destination_of(endpoint)
        except InvalidDestination as error:
            return Receipt(Verdict.REFUSED, str(error))
        payload = mqtt_payload(Message(headers, body), endpoint.receiver_info)
        wanted_s = self._timeout_s if endpoint.timeout_ms is None else endpoint.timeout_ms / 1000
        limit_s = min(wanted_s, self._timeout_s)
        try:
            async with asyncio.timeout(limit_s):
                client = await self._client(destination.broker)
                reason = await client.publish(destination.topic, payload, destination.qos, "application/json")
        except AddressRefused as error:
            return Receipt(Verdict.REFUSED, error.detail)
        except (CallFailed, ConnectionEnded) as error:
            return Receipt(Verdict.LATER, error.detail)
        except TimeoutError:
            return Receipt(Verdict.LATER, Cause.TOO_SLOW.say(place="The broker", limit=f"{limit_s:g}"))
        return TAKEN if reason < _FAILED_FROM else _refusal(reason)

    async def close(self) -> None:
        for task in self._clients.values():
            task.cancel()
        for ended in await asyncio.gather(*self._clients.values(), return_exceptions=True):
            if isinstance(ended, MqttClient):
                ended.close()
        self._clients.clear()
        await asyncio.sleep(0)

    async def _client(self, broker: Broker) -> MqttClient:
        """Those who come while it is being opened wait for the same one."""
        task = self._clients.get(broker)
        if task is None or _is_over(task):
            self._close_idle()
            task = self._clients[broker] = asyncio.create_task(self._open(broker))
            task.add_done_callback(_see)
        return await asyncio.shield(task)

    async def _open(self, broker: Broker) -> MqttClient:
        password = None if broker.password is None else broker.password.encode()
        async with asyncio.timeout(self._timeout_s):
            client = await self._network.connect(
                lambda: MqttClient(broker.version, f"parvis-{token_hex(8)}", broker.username, password),
                broker.host,
                broker.port,
                tls=broker.tls,
            )
            try:
                reason = await client.welcome()
            except BaseException:
                client.close()
                raise
        if reason:
            client.close()
            raise CallFailed(Cause.BROKER_KEEPS_OUT.say(host=broker.host, code=f"0x{reason:02x}"))
        return client

    def _close_idle(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for broker, task in list(self._clients.items()):
            if _is_over(task):
                del self._clients[broker]
            elif task.done() and (now_s - task.result().used_at_s > _IDLE_S or len(self._clients) > _MOST_BROKERS):
                task.result().close()
                del self._clients[broker]


def _see(task: "asyncio.Task[MqttClient]") -> None:
    """Who waited for it may have given up meanwhile: its fault is no surprise then."""
    if not task.cancelled():
        task.exception()


def _is_over(task: "asyncio.Task[MqttClient]") -> bool:
    if not task.done():
        return False
    return task.cancelled() or task.exception() is not None or not task.result().is_open


@lru_cache(maxsize=1024)
def destination_of(endpoint: Endpoint) -> Destination:
    """Of mqtt[s]://[user[:password]@]host[:port]/topic and notifierInfo. Raises InvalidDestination."""
    info = dict(endpoint.notifier_info)
    version, qos = _VERSIONS.get(info.get("MQTT-Version", "mqtt5.0")), _QOS.get(info.get("MQTT-QoS", "0"))
    if version is None or qos is None:
        raise InvalidDestination("MQTT-Version is mqtt3.1.1 or mqtt5.0, MQTT-QoS is 0, 1 or 2.")
    try:
        parts = urlsplit(endpoint.uri)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError) as error:
        raise InvalidDestination("The endpoint is no mqtt or mqtts address.") from error
    topic = unquote(parts.path.removeprefix("/") + (f"?{parts.query}" if parts.query else ""))
    if (
        "#" in endpoint.uri
        or not parts.hostname
        or not topic
        or set(topic) & set("+#\0")
        or len(topic.encode()) > 65_535
    ):
        raise InvalidDestination("The endpoint must be mqtt://HOST[:PORT]/TOPIC, the topic without + and #.")
    username = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    broker = Broker(parts.hostname, port, parts.scheme == "mqtts", version, username, password)
    return Destination(broker, topic, qos)


def _refusal(reason: int) -> Receipt:
    verdict = Verdict.REFUSED if reason in _FOR_GOOD else Verdict.LATER
    return Receipt(verdict, Cause.BROKER_REFUSED.say(code=f"0x{reason:02x}"))

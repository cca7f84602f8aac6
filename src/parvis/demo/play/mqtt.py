"""The MQTT connection over which network server, buses and cabinets speak.

QoS 1 with a bounded window: a frame counts as delivered when its PUBACK is there, which the platform sends only
after the durable commit; so the speed of a backfill is the speed at which the platform makes frames durable.
"""

import asyncio
import logging
from dataclasses import dataclass

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

log = logging.getLogger("parvis.demo.player")


@dataclass(frozen=True, slots=True)
class Listener:
    host: str
    port: int
    username: str | None = None
    password: str | None = None
    client_id: str = "trevalan-network-server"


class Bridge:
    """An MQTT 3.1.1 connection that survives the loss of its peer: frames not yet acknowledged are sent again."""

    def __init__(self, listener: Listener, window: int = 200) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(window)
        self._window = window
        self._online = asyncio.Event()
        self.delivered = 0
        self.connections = 0
        self._client = self._new_client(window)

    async def __aenter__(self) -> "Bridge":
        self._client.connect_async(self._listener.host, self._listener.port, keepalive=30)
        self._client.loop_start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Returns once the frame is on its way; waits while the window is full or the peer away."""
        await self._room.acquire()
        await self._online.wait()
        published: MQTTMessageInfo = self._client.publish(topic, payload, qos=1)
        if published.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            self._room.release()
            raise OSError(published.rc, "the MQTT client refused the frame")

    async def drain(self) -> None:
        """Waits until every frame is acknowledged."""
        for _ in range(self._window):
            await self._room.acquire()
        for _ in range(self._window):
            self._room.release()

    def _new_client(self, window: int) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._listener.client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        client.username_pw_set(self._listener.username, self._listener.password)
        client.max_inflight_messages_set(window)
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_publish = self._acknowledged
        return client

    def _connected(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            log.warning("the platform refused the bridge: %s", reason)
            return
        self.connections += 1
        self._loop.call_soon_threadsafe(self._online.set)
        log.info("the bridge is connected to %s:%d", self._listener.host, self._listener.port)

    def _disconnected(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._online.clear)
        if reason.is_failure:
            log.warning("the bridge lost its connection: %s", reason)

    def _acknowledged(
        self, _client: Client, _data: object, _mid: int, _reason: ReasonCode, _properties: Properties
    ) -> None:
        self._loop.call_soon_threadsafe(self._count_delivery)

    def _count_delivery(self) -> None:
        self.delivered += 1
        self._room.release()

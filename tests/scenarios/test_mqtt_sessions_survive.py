"""`kill -9`: sessions, subscriptions and what waits in them are there again, and QoS 2 stays exactly once."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.harness.platform import Served, start, stop, wait_until_ready

MESSAGES = 60


class Client:
    """A paho client of MQTT 3.1.1 whose session is kept; it resends after it has connected again.

    It comes back once `is_there` is set. At each try in vain paho 2.1 would take a message whose PUBREL it has sent for
    one that it has yet to publish, and then publish it a second time.
    """

    def __init__(self, name: str) -> None:
        self.received: list[bytes] = []
        self.acknowledged = 0
        self.subscribed = False
        self.is_there = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, name, False, protocol=MQTTProtocolVersion.MQTTv311)
        self.client.reconnect_delay_set(0.05, 0.1)  # type: ignore[arg-type]
        self.client.on_message = self._on_message
        self.client.on_publish = self._on_publish
        self.client.on_subscribe = self._on_subscribe
        self.client.on_disconnect = self._on_disconnect

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.received.append(bytes(message.payload))

    def _on_subscribe(self, *_told: Any) -> None:
        self.subscribed = True

    def _on_disconnect(self, *_told: Any) -> None:
        self.is_there.wait()

    def _on_publish(self, *_told: Any) -> None:
        self.acknowledged += 1

    @contextlib.contextmanager
    def connected(self, port: int) -> Iterator[None]:
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        try:
            eventually(self.client.is_connected)
            yield
        finally:
            self.is_there.set()
            self.client.disconnect()
            self.client.loop_stop()


def eventually(holds: Callable[[], bool], within_s: float = 15) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def again(served: Served) -> Served:
    """After a kill, on the same data and the same MQTT port."""
    served.kill()
    restarted = start(served.data_dir, "--mqtt-port", str(served.mqtt_port))
    wait_until_ready(restarted)
    return restarted


def test_a_kill_loses_no_session_and_doubles_no_message_of_qos_2(tmp_path: Path) -> None:
    served = start(tmp_path)
    wait_until_ready(served)
    screen, gateway = Client("screen"), Client("gateway")
    port = served.mqtt_port
    try:
        with gateway.connected(port), screen.connected(port):
            screen.client.subscribe("town/#", 2)
            eventually(lambda: screen.subscribed)
            publishing = threading.Thread(target=publish_all, args=(gateway,))
            publishing.start()
            time.sleep(0.2)
            served = again(served)
            gateway.is_there.set()
            screen.is_there.set()
            publishing.join()
            eventually(lambda: gateway.acknowledged == MESSAGES)
            eventually(lambda: len(set(screen.received)) == MESSAGES)
        assert sorted(screen.received) == sorted(b"%d" % number for number in range(MESSAGES))
    finally:
        stop(served)


def publish_all(gateway: Client) -> None:
    for number in range(MESSAGES):
        gateway.client.publish("town/level", b"%d" % number, qos=2)
        time.sleep(0.01)

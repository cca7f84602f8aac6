"""What to type where, so that frames come in: of each way in, in the words of the program that it is typed into."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from parvis.kernel.hosts import is_loopback

KEY_PLACE = "KEY"
DEVICE_PLACE = "my-sensor"


@dataclass(frozen=True, slots=True)
class Reach:
    """How this platform is reached from where the settings are typed in. Ports are None where nobody listens."""

    address: str
    mqtt_port: int | None
    mqtt_tls_port: int | None
    is_mqtt_local: bool

    @property
    def host(self) -> str:
        return urlsplit(self.address).hostname or "localhost"

    @property
    def mqtt_host(self) -> str:
        """In an address."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def is_local(self) -> bool:
        return is_loopback(self.host)

    @property
    def is_encrypted(self) -> bool:
        return self.address.startswith("https:")

    @property
    def mqtt_server(self) -> str:
        if self.mqtt_tls_port is not None:
            return f"ssl://{self.mqtt_host}:{self.mqtt_tls_port}"
        return f"tcp://{self.mqtt_host}:{self.mqtt_port}"


@dataclass(frozen=True, slots=True)
class Block:
    """`title` and the keys of `rows` end keys of the catalogue; `rows` are what to type, `text` what to put in a file
    or on a command line. `over_mqtt` tells which of the two doors it leads through."""

    title: str
    rows: Sequence[tuple[str, str]] = ()
    text: str = ""
    over_mqtt: bool = False


def blocks_of(way: str, reach: Reach, key: str) -> list[Block]:
    """Empty for a way in that is not among WAYS."""
    maker = WAYS.get(way)
    return [] if maker is None else [one for one in maker(reach, key) if not one.over_mqtt or reach.mqtt_port]


def _chirpstack(reach: Reach, key: str) -> list[Block]:
    lines = ('[integration]', 'enabled = ["mqtt"]', "", "[integration.mqtt]", f'server = "{reach.mqtt_server}"',
             'username = "chirpstack"', f'password = "{key}"', "qos = 1", "json = true")  # fmt: skip
    rows = [("encoding", "JSON"), ("url", _webhook(reach, "chirpstack")), *_bearer(key)]
    return [Block("chirpstack_mqtt", text="\n".join(lines), over_mqtt=True), Block("chirpstack_http", rows)]


def _thingsstack(reach: Reach, key: str) -> list[Block]:
    events = "uplink message, join accept, downlink ack, nack, sent, failed, queue invalidated, location solved"
    rows = [("format", "JSON"), ("base_url", _webhook(reach, "thingsstack")), *_bearer(key), ("events", events)]
    return [Block("thingsstack", rows)]


def _liveobjects(reach: Reach, key: str) -> list[Block]:
    return [Block("liveobjects", [("url", _webhook(reach, "liveobjects")), *_bearer(key)])]


def _mqttdevice(reach: Reach, key: str) -> list[Block]:
    port = reach.mqtt_tls_port or reach.mqtt_port
    rows = [
        ("host", reach.host),
        ("port", f"{port}"),
        ("topic", f"device/{DEVICE_PLACE}/up"),
        ("user", DEVICE_PLACE),
        ("password", key),
        ("qos", "1"),
    ]
    trust = "" if reach.mqtt_tls_port is None else " --capath /etc/ssl/certs"
    text = (
        f"mosquitto_pub -h {reach.host} -p {port}{trust} -u {DEVICE_PLACE} -P {key} -q 1"
        f" -t device/{DEVICE_PLACE}/up -m '{{\"temperature_c\": 21.5}}'"
    )
    return [Block("mqttdevice", rows, over_mqtt=True), Block("try_it", text=text, over_mqtt=True)]


def _httppush(reach: Reach, key: str) -> list[Block]:
    url = f"{_webhook(reach, 'httppush')}?device={DEVICE_PLACE}"
    rows = [("method", "POST"), ("url", url), ("header_name", "X-API-Key"), ("header_value", key)]
    text = f"curl -H 'X-API-Key: {key}' -H 'Content-Type: application/json' -d '{{\"temperature_c\": 21.5}}' '{url}'"
    return [Block("httppush", rows), Block("try_it", text=text)]


def _webhook(reach: Reach, name: str) -> str:
    return f"{reach.address}/api/connectors/{name}"


def _bearer(key: str) -> list[tuple[str, str]]:
    return [("header_name", "Authorization"), ("header_value", f"Bearer {key}")]


WAYS: Mapping[str, Callable[[Reach, str], list[Block]]] = {
    "chirpstack": _chirpstack,
    "thingsstack": _thingsstack,
    "liveobjects": _liveobjects,
    "mqttdevice": _mqttdevice,
    "httppush": _httppush,
}
"""By connector; all of them are on without settings."""
NEEDS_MQTT = frozenset({"mqttdevice"})

"""Messages from brokers that are not ours: mosquitto and NATS, published with paho."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.publish as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import REGISTRY

from parvis.connectors.mqttbridge.bridge import Bridge
from parvis.connectors.mqttbridge.config import BrokerConfig
from parvis.fleet.model.delivery import Ack, Message, Route
from parvis.kernel.errors import Overloaded
from tests import system_tools
from tests.fleet.conftest import CALLER, Village, eventually, village

__all__ = ["village"]

TOPIC = "application/1/device/70b3d5499e000001/event/up"
FILTER = "application/+/device/+/event/up"


class Store:
    """A connector's handler; `verdicts` are asked before it takes anything."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.judge: Callable[[Message], Ack] = lambda _message: Ack.STORED
        self.is_away = False
        self.tried = 0

    async def handle(self, messages: list[Message]) -> list[Ack]:
        self.tried += 1
        if self.is_away:
            raise Overloaded("The database is away.")
        acks = [self.judge(message) for message in messages]
        if Ack.FAILED in acks:
            return [Ack.FAILED] * len(acks)  # one batch, one fault
        self.payloads += [message.payload for message, ack in zip(messages, acks, strict=True) if ack is Ack.STORED]
        return acks


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture(params=["mosquitto", "mosquitto 3.1.1", "nats-server"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BrokerConfig]:
    program, _, version = request.param.partition(" ")
    if program == "mosquitto":
        with system_tools.running_mosquitto(tmp_path) as port:
            yield BrokerConfig(f"mqtt://127.0.0.1:{port}", version=version or "5.0")
    else:
        with system_tools.running_nats(tmp_path) as port:
            yield BrokerConfig(f"mqtt://127.0.0.1:{port}", version="3.1.1")


@contextlib.asynccontextmanager
async def bridging(village: Village, config: BrokerConfig, store: Store, session: int = 1) -> AsyncIterator[Bridge]:
    bridge = Bridge("town", config, lambda: [Route(FILTER, store.handle)], village.fleet, session)
    task = asyncio.create_task(bridge.run())
    try:
        yield bridge
    finally:
        task.cancel()
        await asyncio.wait((task,))
        await asyncio.sleep(0)


def is_connected(name: str = "town") -> bool:
    return REGISTRY.get_sample_value("parvis_mqttbridge_connected", {"broker": name}) == 1


def count(name: str) -> float:
    return REGISTRY.get_sample_value(f"parvis_mqttbridge_messages_{name}total", {"broker": "town"}) or 0


async def publish(config: BrokerConfig, *payloads: bytes, topic: str = TOPIC) -> None:
    messages: list[Any] = [(topic, payload, 1, False) for payload in payloads]
    auth: Any = config.username and {"username": config.username, "password": config.password}
    await asyncio.to_thread(paho.multiple, messages, config.host, config.port, auth=auth or None)


async def test_each_message_reaches_the_connector_of_its_topic(
    broker: BrokerConfig, village: Village, store: Store
) -> None:
    sent = [b"%d" % number for number in range(300)]
    async with bridging(village, broker, store):
        await eventually(is_connected)
        await publish(broker, *sent)
        await eventually(lambda: len(store.payloads) == len(sent))
    assert store.payloads == sent


async def test_what_comes_while_we_are_away_is_kept_by_the_broker(
    broker: BrokerConfig, village: Village, store: Store
) -> None:
    async with bridging(village, broker, store):
        await eventually(is_connected)
    assert not is_connected()
    await publish(broker, b"a", b"b", b"c")
    async with bridging(village, broker, store):
        await eventually(lambda: len(store.payloads) == 3)
    assert store.payloads == [b"a", b"b", b"c"]


async def test_what_was_not_stored_is_not_acknowledged_and_comes_again(
    broker: BrokerConfig, village: Village, store: Store
) -> None:
    store.is_away = True
    async with bridging(village, broker, store):
        await eventually(is_connected)
        await publish(broker, b"a", b"b")
        await eventually(lambda: store.tried > 0)
    store.is_away = False
    async with bridging(village, broker, store):
        await eventually(lambda: len(store.payloads) == 2)
        await asyncio.sleep(0.1)
    assert store.payloads == [b"a", b"b"]


async def test_a_store_that_comes_back_is_found_without_a_new_connection(
    mosquitto: int, village: Village, store: Store
) -> None:
    config = BrokerConfig(f"mqtt://127.0.0.1:{mosquitto}", client_id="waits")
    store.is_away = True
    async with bridging(village, config, store):
        await eventually(is_connected)
        await publish(config, b"a")
        await eventually(lambda: store.tried > 0)
        store.is_away = False
        await eventually(lambda: store.payloads == [b"a"])


async def test_a_message_that_always_fails_holds_up_no_others_and_is_kept(
    mosquitto: int, village: Village, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.connectors.mqttbridge.bridge._FIRST_PAUSE_S", 0.01)
    config = BrokerConfig(f"mqtt://127.0.0.1:{mosquitto}", client_id="poison")
    store.judge = lambda message: Ack.FAILED if message.payload == b"poison" else Ack.STORED
    before = count("given_up_")
    async with bridging(village, config, store):
        await eventually(is_connected)
        await publish(config, b"a", b"poison", b"b")
        await eventually(lambda: store.payloads == [b"a", b"b"])
        await eventually(lambda: count("given_up_") == before + 1)
        await eventually_refused(village, b"poison")
        monkeypatch.setattr("parvis.connectors.mqttbridge.bridge._FIRST_PAUSE_S", 60)
        await publish(config, b"c", b"poison", b"d")
        await eventually(lambda: store.payloads == [b"a", b"b", b"c", b"d"])
        await eventually(lambda: count("given_up_") == before + 2)


async def eventually_refused(village: Village, payload: bytes) -> None:
    async with asyncio.timeout(5):
        while [one.payload for one in await village.fleet.list_refusals(CALLER)] != [payload]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_message_that_is_too_large_is_refused_and_ends_no_connection(
    broker: BrokerConfig, village: Village, store: Store
) -> None:
    config = BrokerConfig(broker.url, version=broker.version, max_message_bytes=1024)
    async with bridging(village, config, store):
        await eventually(is_connected)
        await publish(config, b"x" * 300_000, b"small")
        await eventually(lambda: store.payloads == [b"small"])
        await eventually_refused(village, b"")
    (refusal,) = await village.fleet.list_refusals(CALLER)
    assert "more than the 1024 that are taken" in refusal.detail


async def test_topics_that_nobody_takes_are_acknowledged_and_counted(
    mosquitto: int, village: Village, store: Store
) -> None:
    config = BrokerConfig(f"mqtt://127.0.0.1:{mosquitto}", client_id="all", topics=("#",), prefix="site7/")
    before = count("unrouted_")
    async with bridging(village, config, store):
        await eventually(is_connected)
        await publish(config, b"other", topic="site7/other")
        await publish(config, b"mine", topic=f"site7/{TOPIC}")
        await publish(config, b"elsewhere", topic=TOPIC)
        await eventually(lambda: store.payloads == [b"mine"])
    assert count("unrouted_") == before + 1


async def test_sessions_share_what_comes(mosquitto: int, village: Village, store: Store) -> None:
    config = BrokerConfig(f"mqtt://127.0.0.1:{mosquitto}", client_id="many", sessions=2)
    other = Store()
    async with bridging(village, config, store), bridging(village, config, other, session=2):
        await eventually(lambda: is_connected("town-1") and is_connected("town-2"))
        sent = [b"%d" % number for number in range(100)]
        await publish(config, *sent)
        await eventually(lambda: len(store.payloads) + len(other.payloads) == 100)
    assert sorted(store.payloads + other.payloads) == sorted(sent)
    assert store.payloads
    assert other.payloads


async def test_a_broker_that_restarts_is_found_again(tmp_path: Path, village: Village, store: Store) -> None:
    program, port = system_tools.require_program("mosquitto", "mosquitto"), system_tools.free_port()
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    config = BrokerConfig(f"mqtt://127.0.0.1:{port}")
    async with bridging(village, config, store):
        with system_tools.running([program, "-c", settings], port):
            await eventually(is_connected)
        await eventually(lambda: not is_connected())
        with system_tools.running([program, "-c", settings], port):
            await eventually(is_connected)
            await publish(config, b"a")
            await eventually(lambda: store.payloads == [b"a"])


async def test_over_tls_with_a_password(tmp_path: Path, village: Village, store: Store) -> None:
    make_certificate(tmp_path)
    passwords = tmp_path / "passwords"
    tool = system_tools.require_program("mosquitto", "mosquitto_passwd")
    command = [str(tool), "-b", "-c", str(passwords), "parvis", "s3cret"]
    await asyncio.to_thread(lambda: subprocess.run(command, check=True, capture_output=True))
    plain_port, secure_port = system_tools.free_port(), system_tools.free_port()
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(
        f"user root\nallow_anonymous false\npassword_file {passwords}\nlistener {plain_port} 127.0.0.1\n"
        f"listener {secure_port} 127.0.0.1\ncertfile {tmp_path / 'cert.pem'}\nkeyfile {tmp_path / 'key.pem'}\n"
    )
    plain = BrokerConfig(f"mqtt://127.0.0.1:{plain_port}", username="parvis", password="s3cret")
    url, authority = f"mqtts://localhost:{secure_port}", tmp_path / "cert.pem"
    right = BrokerConfig(url, username="parvis", password="s3cret", ca_file=authority)
    wrong = BrokerConfig(url, username="parvis", password="no", ca_file=authority)
    unknown = BrokerConfig(url, username="parvis", password="s3cret")
    program = system_tools.require_program("mosquitto", "mosquitto")
    with system_tools.running([program, "-c", settings], secure_port):
        async with bridging(village, right, store):
            await eventually(is_connected)
            await publish(plain, b"a")
            await eventually(lambda: store.payloads == [b"a"])
        for refused in (wrong, unknown):
            async with bridging(village, refused, store):
                await asyncio.sleep(0.3)
                assert not is_connected()


def make_certificate(folder: Path) -> None:
    """Of localhost, its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )

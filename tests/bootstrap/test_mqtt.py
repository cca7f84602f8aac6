"""The listener as an installation has it: TLS, keys and certificates of devices, sessions in its store."""

import asyncio
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from parvis.access.access import COMMAND_LINE
from parvis.access.certificates.model import Shown
from parvis.bootstrap import check_exposure, open_platform
from parvis.bootstrap.mqtt import Doorkeeper
from parvis.fleet.devices.records import DeviceUpdate
from parvis.fleet.devices.registry import DeviceRecord
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import ADMINISTRATOR, Caller
from parvis.kernel.settings import AccessSettings, InvalidSettings, MqttSettings, Settings
from tests.connectors.mqtt.conftest import run_program
from tests.connectors.mqtt.test_tls import LOCAL, Authority
from tests.fleet.conftest import eventually

CLERK = Caller("default", "user:clerk", ADMINISTRATOR)
PUMP = DeviceRecord(
    hardware_id="0011AABB",
    profile="generic-climate",
    entity_id="urn:ngsi-ld:IndoorEnvironmentObserved:pump",
    name="Pump",
)


async def test_a_device_with_a_certificate_delivers_until_it_is_suspended(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, key = authority.issue("server", "localhost", *LOCAL)
    mine, my_key = authority.issue("device", "0011AABB")
    tls = MqttSettings(
        port=0, tls_port=0, tls_certificate=str(server), tls_key=str(key), tls_client_ca=str(authority.path)
    )
    async with open_platform(Settings(tmp_path / "data", mqtt=tls)) as platform:
        await platform.fleet.register(CLERK, [PUMP])
        assert platform.mqtt is not None
        proof = ("--cafile", str(authority.path), "--cert", str(mine), "--key", str(my_key))
        common = ("-h", "127.0.0.1", "-p", str(platform.mqtt.tls_port), *proof, "-V", "mqttv5", "-q", "1")
        up = ("-t", "device/0011aabb/up", "-m", '{"temperature_c": 21.5}')
        await run_program("mosquitto_pub", *common, *up)
        entity = await platform.broker.find(CLERK, PUMP.entity_id)
        assert entity is not None
        assert 21.5 in [one.value for one in entity.instances]
        connected = asyncio.create_task(
            run_program("mosquitto_sub", *common, "-t", "device/0011aabb/down", "-i", "pump", "-W", "8", fails=True)
        )
        await eventually(lambda: platform.mqtt is not None and bool(platform.mqtt._clients))
        await platform.fleet.update(CLERK, "0011aabb", DeviceUpdate(suspended=True))
        platform.mqtt.recheck()
        await eventually(lambda: platform.mqtt is not None and not platform.mqtt._clients)
        await run_program("mosquitto_pub", *common, *up, fails=True)
        connected.cancel()
        await asyncio.gather(connected, return_exceptions=True)


async def test_a_certificate_is_listed_with_its_use_and_revoked_alone(tmp_path: Path) -> None:
    """Of mosquitto's programs: who is connected with it is cut off, and another one of the same device opens."""
    authority = Authority(tmp_path)
    server, key = authority.issue("server", "localhost", *LOCAL)
    stolen, renewed, unseen = (authority.issue(name, "0011AABB") for name in ("stolen", "renewed", "unseen"))
    tls = MqttSettings(
        port=0, tls_port=0, tls_certificate=str(server), tls_key=str(key), tls_client_ca=str(authority.path)
    )
    async with open_platform(Settings(tmp_path / "data", mqtt=tls)) as platform:
        listener, certificates = platform.mqtt, platform.access.certificates
        assert listener is not None
        common = ("-h", "127.0.0.1", "-p", str(listener.tls_port), "--cafile", str(authority.path), "-V", "mqttv5")

        def with_proof(paths: tuple[Path, Path]) -> tuple[str, ...]:
            return (*common, "--cert", str(paths[0]), "--key", str(paths[1]), "-q", "1", "-t", "device/0011aabb/up")

        await run_program("mosquitto_pub", *with_proof(renewed), "-m", "{}")
        down = [word.replace("/up", "/down") for word in with_proof(stolen)]
        connected = asyncio.create_task(run_program("mosquitto_sub", *down, "-i", "thief", "-W", "8", fails=True))
        await eventually(lambda: bool(listener._clients))
        listed = certificates.list_all(CLERK, "0011AABB")
        assert {one.id for one in listed} == {fingerprint_of(stolen), fingerprint_of(renewed)}
        assert all(one.last_used_at and one.expires_at > one.last_used_at for one in listed)

        certificates.revoke(COMMAND_LINE, fingerprint_of(stolen).upper())
        listener.recheck()
        await eventually(lambda: not listener._clients)
        await run_program("mosquitto_pub", *with_proof(stolen), "-m", "{}", fails=True)
        await run_program("mosquitto_pub", *with_proof(renewed), "-m", "{}")
        with pytest.raises(ResourceNotFound):
            certificates.revoke(COMMAND_LINE, fingerprint_of(unseen))
        certificates.revoke(COMMAND_LINE, fingerprint_of(unseen), "0011aabb")
        await run_program("mosquitto_pub", *with_proof(unseen), "-m", "{}", fails=True)
        connected.cancel()
        await asyncio.gather(connected, return_exceptions=True)


def fingerprint_of(paths: tuple[Path, Path]) -> str:
    """As another library works it out."""
    certificate = x509.load_pem_x509_certificate(paths[0].read_bytes())
    return certificate.fingerprint(hashes.SHA256()).hex()


async def test_a_certificate_opens_for_the_first_name_that_can_be_a_device(tmp_path: Path) -> None:
    async with open_platform(Settings(tmp_path, mqtt=MqttSettings(port=0))) as platform:
        doorkeeper = Doorkeeper(platform.access, platform.fleet.registry)
        caller = doorkeeper.by_certificate(Shown(b"1", ("a/b", "+", "x" * 65, "pump-7", "other")))
        assert caller is not None
        assert (caller.device, caller.tenant, caller.may_deliver) == ("pump-7", "default", True)
        assert doorkeeper.by_certificate(Shown(b"2", ("#", ""))) is None


async def test_a_key_of_one_device_is_known_as_such(tmp_path: Path) -> None:
    async with open_platform(Settings(tmp_path, mqtt=MqttSettings(port=0))) as platform:
        _, key = platform.access.keys.create(COMMAND_LINE, "pump", "device", device="0011aabb")
        caller = Doorkeeper(platform.access, platform.fleet.registry).by_password("", None, key.encode())
        assert caller is not None
        assert caller.device == "0011aabb"


async def test_a_key_of_a_suspended_device_opens_nothing_until_it_is_in_use_again(tmp_path: Path) -> None:
    async with open_platform(Settings(tmp_path, mqtt=MqttSettings(port=0))) as platform:
        await platform.fleet.register(CLERK, [PUMP])
        _, key = platform.access.keys.create(COMMAND_LINE, "pump", "device", device="0011aabb")
        doorkeeper = Doorkeeper(platform.access, platform.fleet.registry)
        caller = doorkeeper.by_password("", None, key.encode())
        assert caller is not None
        for is_suspended in (True, False):
            await platform.fleet.update(CLERK, "0011aabb", DeviceUpdate(suspended=is_suspended))
            assert doorkeeper.is_in_force(caller) is not is_suspended
            assert (doorkeeper.by_password("", None, key.encode()) is None) is is_suspended


async def test_sessions_wait_in_the_installations_store(tmp_path: Path) -> None:
    settings = Settings(tmp_path, mqtt=MqttSettings(port=0))
    signed_in: tuple[str, ...] = ()
    for life in range(2):
        async with open_platform(settings) as platform:
            if not signed_in:
                _, key = platform.access.keys.create(COMMAND_LINE, "screen", "operator")
                signed_in = ("-h", "127.0.0.1", "-u", "screen", "-P", key, "-V", "mqttv311")
            assert platform.mqtt is not None
            common = (*signed_in, "-p", str(platform.mqtt.port), "-q", "1")
            kept = ("-c", "-i", "screen", "-t", "town/#")
            if life == 0:
                await run_program("mosquitto_sub", *common, *kept, "-E")
                await run_program("mosquitto_pub", *common, "-t", "town/a", "-m", "x")
            else:
                assert (await run_program("mosquitto_sub", *common, *kept, "-C", "1")).split() == ["x"]


async def test_certificates_that_cannot_be_used_keep_the_platform_from_starting(tmp_path: Path) -> None:
    broken = MqttSettings(port=0, tls_port=0, tls_certificate=str(tmp_path / "none"), tls_key=str(tmp_path / "none"))
    with pytest.raises(InvalidSettings, match="certificate files"):
        async with open_platform(Settings(tmp_path, mqtt=broken)):
            pass


def test_without_authentication_tls_listens_on_this_machine_only(tmp_path: Path) -> None:
    open_to_all = MqttSettings(tls_certificate="a", tls_key="b", tls_host="0.0.0.0")
    with pytest.raises(InvalidSettings, match=r"0\.0\.0\.0"):
        check_exposure(Settings(tmp_path, access=AccessSettings(auth=False), mqtt=open_to_all))

"""TLS as mosquitto's programs, paho and gmqtt speak it, with an authority of the test's own."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from parvis.access.certificates.model import Shown
from parvis.connectors.mqtt.config import find_tls_files
from parvis.connectors.mqtt.tls import TlsFiles, TlsListener, bind, names_of
from parvis.kernel.identity import Caller, Right
from parvis.kernel.settings import InvalidSettings, MqttSettings
from tests.connectors.mqtt.conftest import House, Meet, run_program
from tests.fleet.conftest import eventually


class Authority:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign("authority", self.key.public_key(), (), is_authority=True)
        self.path = folder / "authority.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, common_name: str, *names: x509.GeneralName) -> tuple[Path, Path]:
        """Certificate and key, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(common_name, key.public_key(), names)
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return paths

    def _sign(
        self,
        common_name: str,
        public: ec.EllipticCurvePublicKey,
        names: Sequence[x509.GeneralName],
        *,
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        issuer = subject if is_authority else self.certificate.subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


LOCAL = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def tls(house: House, authority: Authority) -> TlsListener:
    def by_certificate(shown: Shown) -> Caller | None:
        device = next(iter(shown.names), "stranger")
        return None if device == "stranger" else Caller("default", f"device:{device}", Right.INGEST, device)

    house.listener._admission.authenticate_certificate = by_certificate
    files = TlsFiles(*authority.issue("server", "localhost", *LOCAL), authority.path)
    listener = TlsListener(files, bind("127.0.0.1", 0, is_shared=False), look_every_s=0.05)
    await house.listener.start_tls(listener)
    return listener


def over_tls(tls: TlsListener, authority: Authority, version: str = "mqttv5") -> tuple[str, ...]:
    return ("-h", "127.0.0.1", "-p", str(tls.port), "-V", version, "--cafile", str(authority.path))


def client_context(authority: Authority, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.path)
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
async def test_mosquitto_publishes_over_tls_with_a_key(
    house: House, tls: TlsListener, authority: Authority, version: str
) -> None:
    common = over_tls(tls, authority, version)
    signed_in = (*common, "-u", "gateway", "-P", "gateway-key", "-q", "1", "-m", "x")
    await run_program("mosquitto_pub", *signed_in, "-t", "town/a/stored")
    await run_program("mosquitto_pub", *common, "-q", "1", "-m", "x", "-t", "town/a/stored", fails=True)
    assert [one.payload for one in house.stored] == [b"x"]


async def test_the_certificate_of_a_device_opens_for_that_device_only(
    house: House, tls: TlsListener, authority: Authority
) -> None:
    certificate, key = authority.issue("device", "0011AABB")
    common = (*over_tls(tls, authority), "--cert", str(certificate), "--key", str(key), "-q", "1", "-m", "x")
    told = await run_program("mosquitto_pub", *common, "-t", "town/a/stored")
    assert "not authorized" in told.lower()
    heard = asyncio.create_task(
        run_program(
            "mosquitto_sub",
            *over_tls(tls, authority),
            *("--cert", str(certificate), "--key", str(key), "-t", "device/0011aabb/down", "-C", "1"),
        )
    )
    await eventually(lambda: bool(house.listener._router.tree))
    house.listener.tell("default", "device/0011aabb/down", b"go")
    assert (await heard).split() == ["go"]


async def test_a_certificate_that_names_nobody_or_is_of_another_authority_opens_nothing(
    house: House, tls: TlsListener, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    for certificate, key in (
        authority.issue("stranger", "stranger"),
        Authority(tmp_path / "other").issue("device", "0011aabb"),
    ):
        common = (*over_tls(tls, authority), "--cert", str(certificate), "--key", str(key), "-q", "1", "-m", "x")
        await run_program("mosquitto_pub", *common, "-t", "device/0011aabb/up", fails=True)


async def test_gmqtt_stays_connected_while_the_certificate_is_renewed(
    house: House, tls: TlsListener, authority: Authority, meet: Meet
) -> None:
    one = await meet("c", port=tls.port, ssl=client_context(authority))
    first = await _serial(tls, authority)
    authority.issue("server", "localhost", *LOCAL)
    await _until_renewed(tls, authority, first)
    one.client.publish("town/a/stored", b"still here", qos=1)
    await eventually(lambda: [message.payload for message in house.stored] == [b"still here"])


async def test_a_broken_renewal_changes_nothing(tls: TlsListener, authority: Authority) -> None:
    first = await _serial(tls, authority)
    (authority.folder / "server.pem").write_text("no certificate")
    await asyncio.sleep(0.2)
    assert await _serial(tls, authority) == first
    (authority.folder / "server.pem").unlink()
    await asyncio.sleep(0.1)
    assert await _serial(tls, authority) == first
    authority.issue("server", "localhost", *LOCAL)
    await _until_renewed(tls, authority, first)


async def _until_renewed(tls: TlsListener, authority: Authority, first: int) -> None:
    for _ in range(100):
        if await _serial(tls, authority) != first:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the certificate is the same after 5 seconds")


async def _serial(tls: TlsListener, authority: Authority) -> int:
    _, writer = await asyncio.open_connection("127.0.0.1", tls.port, ssl=client_context(authority))
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(der).serial_number
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def test_who_speaks_no_tls_there_harms_nobody(house: House, tls: TlsListener, authority: Authority) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", tls.port)
    writer.write(b"\x10\x0e\0\4MQTT\4\2\0\0\0\2ab")
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(5):
            await reader.read()
    writer.close()
    await _serial(tls, authority)


def test_names_come_from_alternative_names_first() -> None:
    certificate = {
        "subject": ((("organizationName", "Town"),), (("commonName", "0011AABB"),)),
        "subjectAltName": (("URI", "urn:dev:mac:0011AABBCC"), ("DNS", "Sensor-7"), ("IP Address", "10.0.0.1")),
    }
    assert names_of(certificate) == ["sensor-7", "0011aabbcc", "0011aabb"]
    assert names_of({}) == []


def test_settings_that_cannot_be_used_say_why(tmp_path: Path, authority: Authority) -> None:
    assert find_tls_files(MqttSettings()) is None
    with pytest.raises(InvalidSettings, match="tls_key"):
        find_tls_files(MqttSettings(tls_certificate="a.pem"))
    with pytest.raises(InvalidSettings, match="tls_client_ca"):
        find_tls_files(MqttSettings(tls_certificate="a.pem", tls_key="a.key", tls_clients="must"))
    missing = find_tls_files(MqttSettings(tls_certificate=str(tmp_path / "none.pem"), tls_key="a.key"))
    assert missing is not None
    with pytest.raises(InvalidSettings, match="cannot be used"):
        missing.context()


async def test_where_a_certificate_is_a_must_nobody_comes_in_without(house: House, authority: Authority) -> None:
    files = TlsFiles(*authority.issue("server", "localhost", *LOCAL), authority.path, requires_certificate=True)
    listener = TlsListener(files, bind("127.0.0.1", 0, is_shared=False))
    await house.listener.start_tls(listener)
    signed_in = (*over_tls(listener, authority), "-u", "gateway", "-P", "gateway-key", "-q", "1", "-m", "x")
    await run_program("mosquitto_pub", *signed_in, "-t", "town/a/stored", fails=True)
    certificate, key = authority.issue("device", "0011aabb")
    proof = ("--cert", str(certificate), "--key", str(key))
    await run_program("mosquitto_pub", *signed_in, *proof, "-t", "town/a/stored")
    assert len(house.stored) == 1

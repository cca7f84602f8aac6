import pytest

from parvis.kernel.settings import InvalidSettings
from parvis.outbound.guard import AddressGuard


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "2002:0a00:0001::1",
        "2001:0:a00:1::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_what_is_not_the_public_internet_is_closed(address: str) -> None:
    assert not AddressGuard().permits(address, 443)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e", "::ffff:93.184.215.14"]
)
def test_the_public_internet_is_open(address: str) -> None:
    assert AddressGuard().permits(address, 443)


def test_an_allowed_network_is_open_and_nothing_beside_it() -> None:
    guard = AddressGuard(["10.1.0.0/16", "fd00:1::/32"])

    for address, permitted in {
        "10.1.2.3": True,
        "::ffff:10.1.2.3": True,
        "10.2.0.1": False,
        "fd00:1::1": True,
        "fd00:2::1": False,
        "127.0.0.1": False,
    }.items():
        assert guard.permits(address, 443) is permitted, address


def test_an_allowed_port_is_open_and_no_other_of_its_address() -> None:
    guard = AddressGuard(["127.0.0.1:4711", "[fd00::7]:4711"])

    for address, port, permitted in (
        ("127.0.0.1", 4711, True),
        ("::ffff:127.0.0.1", 4711, True),
        ("127.0.0.1", 4712, False),
        ("127.0.0.2", 4711, False),
        ("fd00::7", 4711, True),
        ("fd00::7", 80, False),
        ("fd00::8", 4711, False),
    ):
        assert guard.permits(address, port) is permitted, (address, port)


@pytest.mark.parametrize(
    "text", ["intranet", "intranet:80", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:", "10.0.0.0/8:80"]
)
def test_what_is_no_network_cannot_be_allowed(text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"outbound\.allow"):
        AddressGuard([text])

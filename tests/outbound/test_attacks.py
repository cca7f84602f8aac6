"""What has been tried against clients that call addresses of strangers: each must end before a connection is made."""

import asyncio
from collections.abc import Sequence

import pytest

from parvis.kernel.errors import ParvisError
from parvis.kernel.outbound import AddressRefused
from parvis.kernel.settings import OutboundSettings
from parvis.outbound.client import GuardedClient, target_of
from parvis.outbound.guard import AddressGuard

METADATA = "169.254.169.254"
NAMES = {
    "metadata.google.internal": METADATA,
    "localtest.example": "127.0.0.1",
    "intranet.example": "10.1.2.3",
    "mixed.example": "93.184.215.14,192.168.0.1",
    "sixth.example": "::1",
    "mapped.example": "::ffff:10.0.0.1",
}
ATTACKS = {
    "cloud metadata": f"http://{METADATA}/latest/meta-data/iam/",
    "cloud metadata, mapped": f"http://[::ffff:{METADATA}]/",
    "cloud metadata, mapped in hexadecimal": "http://[::ffff:a9fe:a9fe]/",
    "cloud metadata over IPv6": "http://[fd00:ec2::254]/",
    "cloud metadata by name": "http://metadata.google.internal/computeMetadata/v1/",
    "cloud metadata through NAT64": "http://[64:ff9b::a9fe:a9fe]/",
    "cloud metadata through 6to4": "http://[2002:a9fe:a9fe::]/",
    "link-local with a zone": "http://[fe80::1%25eth0]/",
    "loopback": "http://127.0.0.1:8080/console",
    "loopback, another of its addresses": "http://127.8.8.8/",
    "loopback in decimal": "http://2130706433/",
    "loopback in octal": "http://0177.0.0.1/",
    "loopback in hexadecimal": "http://0x7f.0.0.1/",
    "loopback, shortened": "http://127.1/",
    "loopback, mapped": "http://[::ffff:127.0.0.1]/",
    "loopback over IPv6": "http://[::1]/",
    "loopback, compatible": "http://[::127.0.0.1]/",
    "loopback by a public name": "http://localtest.example/",
    "loopback over IPv6 by name": "http://sixth.example/",
    "this host": "http://0.0.0.0/",
    "this host over IPv6": "http://[::]/",
    "private by name": "http://intranet.example/",
    "private, mapped, by name": "http://mapped.example/",
    "private beside public": "http://mixed.example/",
    "private networks": "http://192.168.1.1/",
    "unique local": "http://[fd12:3456::1]/",
    "shared address space": "http://100.64.0.1/",
    "broadcast": "http://255.255.255.255/",
    "multicast": "http://224.0.0.1/",
    "multicast over IPv6": "http://[ff02::1]/",
    "documentation network": "http://192.0.2.1/",
    "benchmark network": "http://198.18.0.1/",
    "teredo": "http://[2001:0:7f00:1::]/",
    "user name that looks like the host": "http://93.184.215.14@127.0.0.1/",
    "password in the address": "http://user:secret@93.184.215.14/",
    "empty user name": "http://@93.184.215.14/",
    "backslash for a slash": "http://127.0.0.1\\@93.184.215.14/",
    "fragment before the host": "http://127.0.0.1#@93.184.215.14/",
    "full-width digits": "http://１２７.0.0.1/",
    "ideographic dots": "http://127。0。0。1/",
    "circled letters": "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "no host": "http:///etc/passwd",
    "port nought": "http://93.184.215.14:0/",
    "port beyond": "http://93.184.215.14:65616/",
    "port of letters": "http://93.184.215.14:80a/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict": "dict://127.0.0.1:11211/stats",
    "ftp": "ftp://10.0.0.1/",
    "ldap": "ldap://127.0.0.1/",
    "data": "data:text/html,hello",
    "javascript": "javascript:alert(1)",
    "no scheme": "//127.0.0.1/",
    "jar": "jar:http://127.0.0.1!/",
    "broken brackets": "http://[::1/",
    "nothing": "",
}


async def _resolver(host: str, port: int) -> Sequence[str]:
    """Names of the table; whatever else is written as an address is read as the system reads it, without DNS."""
    if host in NAMES:
        return NAMES[host].split(",")
    found = await asyncio.get_running_loop().getaddrinfo(host, port, flags=4)
    return [str(address[0]) for *_, address in found]


@pytest.mark.parametrize("url", ATTACKS.values(), ids=ATTACKS)
async def test_it_is_refused_before_anything_is_connected_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []
    async with GuardedClient(OutboundSettings(timeout_s=2), _resolver) as client:

        async def connect(make: object, host: str, port: int, *, tls: bool) -> None:
            begun.append(await checked(host, port))
            raise ConnectionRefusedError

        checked = client.network.checked_addresses
        monkeypatch.setattr(client.network, "connect", connect)
        for call in (client.get(url), client.post(url, b"", {}), client.call("DELETE", url, {}), client.check(url)):
            with pytest.raises(ParvisError):
                await call
    assert begun == []


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "X-A\r\nHost", "connection", ""])
async def test_no_header_of_a_user_says_for_whom_a_request_is_or_where_it_ends(name: str) -> None:
    async with GuardedClient(OutboundSettings(allow=("127.0.0.0/8",))) as client:
        with pytest.raises(ParvisError, match="header"):
            await client.post("http://127.0.0.1:9/", b"", {name: "intranet"})


@pytest.mark.parametrize("tail", ["/\r\nX-Injected: 1", "/?q=\r\n\r\nGET /admin", "/ HTTP/1.1\r\nHost: intranet"])
def test_no_path_smuggles_a_second_request(tail: str) -> None:
    head = target_of(f"http://93.184.215.14{tail}").head
    assert head.count(b"\r\n") == head.rstrip(b"\r\n").count(b"\r\n") + 1
    assert b"X-Injected: 1\r\n" not in head
    assert b"GET /admin" not in head
    assert head.count(b"Host: ") == 1


def test_an_allowed_network_opens_nothing_of_another_kind() -> None:
    guard = AddressGuard(["10.0.0.0/8"])
    assert guard.permits("10.9.9.9", 80)
    for address in (METADATA, "127.0.0.1", "192.168.0.1", "::1", "fd00::1"):
        assert not guard.permits(address, 80)


@pytest.mark.parametrize("location", [f"http://{METADATA}/", "file:///etc/passwd", "//127.0.0.1:1/", "http://a@b/"])
async def test_a_redirect_to_what_may_not_be_called_ends_there(location: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 307 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.2", 0)
    async with server, GuardedClient(OutboundSettings(allow=("127.0.0.2/32",), timeout_s=2)) as client:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(AddressRefused):
            await client.get(f"http://127.0.0.2:{port}/")

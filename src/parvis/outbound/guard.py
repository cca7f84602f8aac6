"""Which addresses may be called for a user: public ones, and private ones that the installation allows."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from parvis.kernel.settings import InvalidSettings

Address = IPv4Address | IPv6Address
_NAT64 = IPv6Network("64:ff9b::/96")
_TRANSLATED = tuple(IPv6Network(text) for text in ("64:ff9b:1::/48", "::/96"))


class _Opening(NamedTuple):
    network: IPv4Network | IPv6Network
    port: int | None = None

    def admits(self, address: Address, port: int) -> bool:
        return address in self.network and self.port in (None, port)


class AddressGuard:
    """`allow` lists networks (CIDR), or one port of one address ("10.1.0.7:8080", "[fd00::7]:8080"), open in spite of
    being private; InvalidSettings where one is none."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        try:
            self._allowed = tuple(map(_opening, allow))
        except ValueError as error:
            raise InvalidSettings(f"outbound.allow: {error}") from error

    def permits(self, text: str, port: int) -> bool:
        address = embedded_address(ip_address(text.partition("%")[0]))
        if any(one.admits(address, port) for one in self._allowed):
            return True
        return address.is_global and not _is_special(address)


def _opening(text: str) -> _Opening:
    """Raises ValueError."""
    place, _, port = text.rpartition(":")
    is_bracketed = place.startswith("[") and place.endswith("]")
    if not (is_bracketed or (place and ":" not in place)):
        return _Opening(ip_network(text))
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(f"{text!r} names no port")
    return _Opening(ip_network(ip_address(place[1:-1] if is_bracketed else place)), int(port))


def embedded_address(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to (RFC 4291 mapped, RFC 6052 NAT64, RFC 3056 6to4), or itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_special(address: Address) -> bool:
    if address.is_multicast or address.is_reserved:
        return True
    return isinstance(address, IPv6Address) and (
        address.is_site_local or address.teredo is not None or any(address in network for network in _TRANSLATED)
    )

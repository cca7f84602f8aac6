"""Which addresses may be called for a user: public ones, and private ones that the installation allows."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from parvis.kernel.settings import InvalidSettings

Address = IPv4Address | IPv6Address
_NAT64 = IPv6Network("64:ff9b::/96")
_TRANSLATED = tuple(IPv6Network(text) for text in ("64:ff9b:1::/48", "::/96"))


class AddressGuard:
    """`allow` lists networks (CIDR) open in spite of being private; InvalidSettings where one is none."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        try:
            self._allowed = tuple(ip_network(text) for text in allow)
        except ValueError as error:
            raise InvalidSettings(f"outbound.allow: {error}") from error

    def permits(self, text: str) -> bool:
        address = embedded_address(ip_address(text.partition("%")[0]))
        if any(address in network for network in self._allowed):
            return True
        return address.is_global and not _is_special(address)


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

"""What a host's name or address tells."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def name_of(host: str) -> str:
    """Of a Host header as "Plouhinec.Example:8443": plouhinec.example."""
    name = host if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".")

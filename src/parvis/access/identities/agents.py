"""What is kept of where somebody signed in from: words of the browser, and the network, not the address."""

from ipaddress import ip_address, ip_network

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
_KEPT_BITS = {4: 24, 6: 48}


def agent_words(user_agent: str) -> str:
    """Browser and system, such as `Firefox, Linux`; empty where neither is known. Browsers name those they are like
    too, so that the order of the table tells."""
    found = (_first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent))
    return ", ".join(word for word in found if word)


def address_prefix(address: str) -> str:
    """`192.0.2.0/24` of 192.0.2.7: enough to tell home from elsewhere."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return str(ip_network(f"{mapped}/{_KEPT_BITS[mapped.version]}", strict=False))


def _first(table: tuple[tuple[str, str], ...], text: str) -> str:
    return next((word for mark, word in table if mark in text), "")

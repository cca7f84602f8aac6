"""How much one caller, or the visitors of one network, may ask for. What is costly has a tighter bound of its own."""

import math
from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from time import monotonic

from prometheus_client import Counter

from parvis.kernel.errors import PARVIS_ERRORS, ParvisError
from parvis.kernel.identity import ANONYMOUS, Caller
from parvis.kernel.settings import LimitSettings

MOST_KEPT = 50_000
REFUSED = Counter("parvis_http_requests_limited_total", "Requests refused for being too many.", ["limit"])
_EVERYONE = "everyone"
_COSTLY_ENDINGS = (".csv", ".ndjson", ".parquet", ".geojson", "series.json")
_COSTLY = ("/console/search", "/console/audit", "/live/")
_COSTLY_TO_READ = ("/ngsi-ld/v1/temporal/", "/data/v1/temporal/")
_COSTLY_TO_POST = (
    "/ngsi-ld/v1/entityOperations/query",
    "/ngsi-ld/v1/temporal/entityOperations/query",
    "/ngsi-ld/v1/entityMaps",
    "/ngsi-ld/v1/temporal/entityMaps",
    "/ngsi-ld/v1/snapshots",
    "/console",
    "/welcome",
)
_FREE = ("/static/", "/basemap/")
_MINUTE_S = 60.0


class TooManyRequests(ParvisError):
    type_uri = PARVIS_ERRORS + "too-many-requests"
    title = "Too many requests"
    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"So many requests are not answered: try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class Limit(StrEnum):
    ADDRESS = "address"
    IDENTITY = "identity"
    COSTLY = "costly"


class Allowance:
    """So many a second for long, and `burst` at once, for each subject. Of those that have used nothing for a while
    nothing is kept; of more than `capacity` the ones longest quiet are forgotten."""

    def __init__(self, per_s: float, burst: float, capacity: int = MOST_KEPT) -> None:
        self._step_s = 1 / per_s if per_s > 0 else 0.0
        self._ahead_s = burst * self._step_s
        self._capacity = capacity
        self._due_s: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, subject: str, now_s: float) -> float:
        """0 where one more is taken, and counted."""
        if not self._step_s:
            return 0.0
        due_s = max(self._due_s.get(subject, now_s), now_s) + self._step_s
        if due_s - now_s > self._ahead_s:
            return due_s - now_s - self._ahead_s
        self._due_s[subject] = due_s
        self._due_s.move_to_end(subject)
        if len(self._due_s) > self._capacity:
            self._due_s.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        return len(self._due_s)


class Limits:
    """Callers who are known have their own; the others share that of their network. Programs on this machine that
    show no proof are not counted: they are its own probes, or a proxy that is not trusted to say whom it speaks for."""

    def __init__(self, settings: LimitSettings, ticks_s: Callable[[], float] = monotonic) -> None:
        self._ticks_s = ticks_s
        self._address = Allowance(settings.address_per_s, settings.address_burst)
        self._identity = Allowance(settings.identity_per_s, settings.identity_burst)
        self._costly = Allowance(settings.costly_per_min / _MINUTE_S, settings.costly_burst)

    def check(self, caller: Caller, address: str, method: str, path: str) -> None:
        """Raises TooManyRequests."""
        if caller.subject == _EVERYONE or path.startswith(_FREE):
            return
        is_known = caller.subject != ANONYMOUS
        subject = f"{caller.tenant} {caller.subject}" if is_known else network_of(address)
        if not subject:
            return
        now_s = self._ticks_s()
        self._take(Limit.IDENTITY if is_known else Limit.ADDRESS, subject, now_s)
        if is_costly(method, path):
            self._take(Limit.COSTLY, subject, now_s)

    def check_unproven(self, address: str) -> None:
        """Of a request whose proof did not hold, or not there: whoever tries keys, or names of tenants, is slowed down.
        Raises TooManyRequests."""
        if network := network_of(address):
            self._take(Limit.ADDRESS, network, self._ticks_s())

    def _take(self, limit: Limit, subject: str, now_s: float) -> None:
        allowance = getattr(self, f"_{limit}")
        wait_s = allowance.wait_s(subject, now_s)
        if wait_s > 0:
            REFUSED.labels(limit).inc()
            raise TooManyRequests(max(1, math.ceil(wait_s)))


def is_costly(method: str, path: str) -> bool:
    """What reads much, makes a file, searches, keeps a line open or changes something from a page."""
    if path.startswith(_COSTLY) or path.endswith(_COSTLY_ENDINGS):
        return True
    return path.startswith(_COSTLY_TO_POST if method == "POST" else _COSTLY_TO_READ)


def network_of(address: str) -> str:
    """What one subscriber of a network has: the /24 of an IPv4 address, the /64 of another. Empty for this machine, and
    for what is no address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        if mapped is None:
            return "" if found.is_loopback else f"{IPv6Address(int(found) >> 64 << 64)}/64"
        found = mapped
    return "" if found.is_loopback else f"{str(found).rpartition('.')[0]}.0/24"

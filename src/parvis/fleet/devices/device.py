"""A device as the platform knows it while running, and which of its frames it has seen."""

from array import array
from enum import Enum, auto

import msgspec

from parvis.broker.model.entity import Iri
from parvis.fleet.model.budgets import TokenBucket
from parvis.fleet.model.clocks import DeviceClock
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import NO_COUNTER, Technology, Uplink
from parvis.fleet.model.vitals import Vitals
from parvis.fleet.profiles.profile import DeviceProfile
from parvis.kernel.time import HOUR, MINUTE, Instant

FRAMES_REMEMBERED = 16
COUNTERS_REMEMBERED = 1024
_ALL_COUNTERS = (1 << COUNTERS_REMEMBERED) - 1
_POSITIVE = (1 << 63) - 1
DUPLICATE_WITHIN = 10 * MINUTE
"""The same counter later than this is a device that started to count again (LoRaWAN ABP after a reset)."""


HEALTH_EVERY = MINUTE
"""A device's own health is written at most so often: nobody looks at the signal of every frame."""


RADIO_EVERY = HOUR
"""So often its signal: the log of frames tells that of each, and the fleet's health the usual one."""


def is_same_number(uplink: Uplink, seen_at: Instant) -> bool:
    """Whether it is the frame of its number that was measured at `seen_at`, and not one of another count."""
    return abs(uplink.at - seen_at) <= (0 if uplink.f_cnt == NO_COUNTER else DUPLICATE_WITHIN)


class Seen(Enum):
    """Whether a frame came before. Where it may have, history knows."""

    NO = auto()
    YES = auto()
    MAYBE = auto()


class SeenFrames:
    """The newest frames of one device: the same one may come over two gateways, or twice from a resending client.

    Counters are remembered over COUNTERS_REMEMBERED, so that a gateway that delivers what it buffered for days, in any
    order, asks history only of frames that do come twice. Frames from before `stored_until` may have been stored
    before the start.
    """

    __slots__ = ("_counters", "_frames", "_highest", "_newest", "_session", "stored_until")

    def __init__(self, stored_until: Instant = 0) -> None:
        self.stored_until = stored_until
        self._session = ""
        self._highest = NO_COUNTER
        self._newest: Instant = 0
        self._counters = 0
        """Bit n: the counter n below the highest was seen."""
        self._frames = array("q")
        """Number and instant of each in turn, the oldest first: a fleet of 100 000 devices keeps them all."""

    def doubt(self, until: Instant) -> None:
        """Frames up to then may be stored, by whomever."""
        self.stored_until = max(self.stored_until, until + 1)

    def begin_anew(self) -> "SeenFrames":
        """For a device that counts from 0 again: of what came before history knows."""
        return SeenFrames(max(self.stored_until, self._newest + 1 if self._newest else 0))

    def look(self, uplink: Uplink) -> Seen:
        at = uplink.at
        if uplink.session == self._session and self._is_among_last(uplink):
            return Seen.YES
        if at < self.stored_until or self._may_be_earlier(uplink):
            return Seen.MAYBE
        return Seen.NO

    def _is_among_last(self, uplink: Uplink) -> bool:
        if uplink.f_cnt > self._highest:
            return False
        frames, number = self._frames, uplink.number & _POSITIVE
        return any(
            frames[place] == number and is_same_number(uplink, frames[place + 1]) for place in range(0, len(frames), 2)
        )

    def _may_be_earlier(self, uplink: Uplink) -> bool:
        if uplink.at > self._newest:
            return False
        if uplink.session != self._session or uplink.f_cnt == NO_COUNTER:
            return True
        below = self._highest - uplink.f_cnt
        return below >= COUNTERS_REMEMBERED or (below >= 0 and bool(self._counters >> below & 1))

    def add(self, uplink: Uplink) -> None:
        is_newest = uplink.at > self._newest
        if uplink.session != self._session:
            if self._newest and not is_newest:
                return
            self._session = uplink.session
            del self._frames[:]
            self._counters, self._highest = 0, NO_COUNTER
        if len(self._frames) == 2 * FRAMES_REMEMBERED:
            del self._frames[:2]
        self._frames.extend((uplink.number & _POSITIVE, uplink.at))
        self._count(uplink.f_cnt, is_newest=is_newest)
        if is_newest:
            self._newest = uplink.at

    def _count(self, f_cnt: int, *, is_newest: bool) -> None:
        ahead = f_cnt - self._highest
        if ahead > 0:
            self._counters = (self._counters << ahead | 1) & _ALL_COUNTERS if ahead < COUNTERS_REMEMBERED else 1
            self._highest = f_cnt
        elif f_cnt == NO_COUNTER:
            return
        elif is_newest and ahead:
            self._counters, self._highest = 1, f_cnt  # it has begun to count anew
        elif -ahead < COUNTERS_REMEMBERED:
            self._counters |= 1 << -ahead


class Running(msgspec.Struct, eq=False, gc=False):
    """What is learnt of a device from its frames as they come, in this process. `told` is what its network told last,
    by the kind of event."""

    clock: DeviceClock = msgspec.field(default_factory=DeviceClock)
    even_at_s: float = 0.0
    codec_s: TokenBucket | None = None
    suspect_until_s: float = 0.0
    radio_at: Instant = 0
    vitals: Vitals | None = None
    told: dict[type, object] = {}


class Standing(Enum):
    """What a device may do; the value is what its `deviceState` says."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REPLACED = "replaced"


_REFUSES = {
    Standing.ACTIVE: None,
    Standing.SUSPENDED: RefusalReason.SUSPENDED,
    Standing.REPLACED: RefusalReason.REPLACED,
}


class Device(msgspec.Struct, eq=False):
    """Device entity `entity_id` feeds the entity `asset_id`; its health was last written at `health_at`.

    `route` is the way in that hears it, a colon, and what that way needs to send something down to it.
    """

    tenant: str
    hardware_id: str
    entity_id: str
    name: str
    profile: DeviceProfile
    asset_id: str
    asset_types: tuple[Iri, ...]
    seen: SeenFrames
    health_at: Instant = 0
    route: str = ""
    standing: Standing = Standing.ACTIVE
    refuses: RefusalReason | None = None
    technology: Technology = Technology.UNKNOWN
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    expected_interval_s: float = 0.0
    running: Running = msgspec.field(default_factory=Running)

    def __post_init__(self) -> None:
        self.refuses = _REFUSES[self.standing]

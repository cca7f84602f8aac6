"""A device as the platform knows it while running, and which of its frames it has seen."""

from collections import deque

import msgspec

from parvis.broker.model.entity import Iri
from parvis.fleet.profiles import DeviceProfile
from parvis.fleet.uplink import NO_COUNTER, Uplink
from parvis.kernel.time import MINUTE, Instant

FRAMES_REMEMBERED = 16
DUPLICATE_WITHIN = 10 * MINUTE
"""The same counter later than this is a device that started to count again (LoRaWAN ABP after a reset)."""


HEALTH_EVERY = MINUTE
"""A device's own health is written at most so often: nobody looks at the signal of every frame."""


class SeenFrames:
    """The newest frames of one device: the same one may come over two gateways, or twice from a resending client.

    Frames from before `stored_until` may have been stored before the start: history knows.
    """

    __slots__ = ("_frames", "_highest", "_session", "stored_until")

    def __init__(self, stored_until: Instant = 0) -> None:
        self.stored_until = stored_until
        self._session = ""
        self._highest = -1
        self._frames: deque[tuple[int, Instant]] = deque(maxlen=FRAMES_REMEMBERED)

    def has(self, uplink: Uplink) -> bool:
        if uplink.session != self._session or uplink.f_cnt > self._highest:
            return False
        number, at = uplink.number, uplink.at
        within = 0 if uplink.f_cnt == NO_COUNTER else DUPLICATE_WITHIN
        return any(one == number and abs(at - seen_at) <= within for one, seen_at in self._frames)

    def add(self, uplink: Uplink) -> None:
        if uplink.session != self._session:
            self._session = uplink.session
            self._frames.clear()
            self._highest = -1
        self._frames.append((uplink.number, uplink.at))
        if uplink.f_cnt > self._highest:
            self._highest = uplink.f_cnt


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

"""A frame that was not stored, and why."""

from collections.abc import Iterable
from enum import Enum

import msgspec

from parvis.fleet import metrics
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.time import Instant

LARGEST_PAYLOAD_BYTES = 4096
LONGEST_TOPIC = 500


class RefusalReason(Enum):
    MALFORMED_MESSAGE = "MALFORMED_MESSAGE"  # what came is no uplink of this network server
    UNKNOWN_DEVICE = "UNKNOWN_DEVICE"  # no device of this DevEUI is registered: it waits in quarantine
    QUARANTINE_FULL = "QUARANTINE_FULL"  # of a device that nobody knows, and too many wait already; counted, not kept
    REPLACED = "REPLACED"  # another device took its place; counted, not kept
    SUSPENDED = "SUSPENDED"  # somebody has put the device out of use; counted, not kept
    OTHER_DEVICE = "OTHER_DEVICE"  # the key is of another device; counted, not kept
    DUPLICATE = "DUPLICATE"  # stored already; counted, not kept
    NO_PAYLOAD = "NO_PAYLOAD"  # the frame is of the network's own business; counted, not kept
    RATE_LIMITED = "RATE_LIMITED"  # the device sends far more than its share; counted, not kept
    TIME_IN_THE_FUTURE = "TIME_IN_THE_FUTURE"  # the network server's clock is wrong, or the platform's
    CODEC_TIMED_OUT = "CODEC_TIMED_OUT"
    CODEC_OUT_OF_MEMORY = "CODEC_OUT_OF_MEMORY"
    CODEC_THREW = "CODEC_THREW"
    CODEC_BAD_RESULT = "CODEC_BAD_RESULT"
    CODEC_REPORTED_ERRORS = "CODEC_REPORTED_ERRORS"
    CODEC_RESTING = "CODEC_RESTING"
    MAPPING_FAILED = "MAPPING_FAILED"  # a field has not the kind of value that the profile says
    NOTHING_MAPPED = "NOTHING_MAPPED"  # the frame holds no field of the profile
    WRITE_FAILED = "WRITE_FAILED"  # the broker refused the change


EVERY_REASON = tuple(RefusalReason)
COUNTED_ONLY = frozenset(
    {
        RefusalReason.QUARANTINE_FULL,
        RefusalReason.REPLACED,
        RefusalReason.SUSPENDED,
        RefusalReason.OTHER_DEVICE,
        RefusalReason.DUPLICATE,
        RefusalReason.NO_PAYLOAD,
        RefusalReason.RATE_LIMITED,
    }
)


class Refused(msgspec.Struct, frozen=True):
    reason: RefusalReason
    detail: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """A refused frame. `uplink` is None, and `payload` the message as it came, where no uplink could be read.

    Its `id` is given when it is kept.
    """

    id: int
    at: Instant
    tenant: str
    reason: RefusalReason
    detail: str
    uplink: Uplink | None = None
    topic: str = ""
    payload: bytes = b""

    @property
    def device(self) -> str:
        return "" if self.uplink is None else self.uplink.hardware_id

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for its device to be registered."""
        return self.reason is RefusalReason.UNKNOWN_DEVICE


def make_refusal(
    at: Instant, tenant: str, refused: Refused, uplink: Uplink | None = None, topic: str = "", payload: bytes = b""
) -> Refusal:
    kept, where = payload[:LARGEST_PAYLOAD_BYTES], topic[:LONGEST_TOPIC]
    return Refusal(0, at, tenant, refused.reason, refused.detail, uplink, where, kept)


def count_refused(refused: Iterable[Refused]) -> None:
    for one in refused:
        metrics.REFUSED.labels(one.reason.value).inc()

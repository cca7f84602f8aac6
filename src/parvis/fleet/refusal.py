"""A frame that was not stored, and why."""

from collections.abc import Collection, Iterable
from enum import Enum

import msgspec

from parvis.fleet import metrics
from parvis.fleet.uplink import Uplink
from parvis.kernel.time import Instant

KEPT = 1000
MOST_OF_ONE_DEVICE = 100
"""So that one device that nobody knows does not push out all others."""
LARGEST_PAYLOAD_BYTES = 4096
LONGEST_TOPIC = 500


class RefusalReason(Enum):
    MALFORMED_MESSAGE = "MALFORMED_MESSAGE"  # what came is no uplink of this network server
    UNKNOWN_DEVICE = "UNKNOWN_DEVICE"  # no device of this DevEUI is registered
    DUPLICATE = "DUPLICATE"  # stored already; counted, not kept
    NO_PAYLOAD = "NO_PAYLOAD"  # the frame is of the network's own business; counted, not kept
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


COUNTED_ONLY = frozenset({RefusalReason.DUPLICATE, RefusalReason.NO_PAYLOAD})


class Refused(msgspec.Struct, frozen=True):
    reason: RefusalReason
    detail: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """A refused frame. `uplink` is None, and `payload` the message as it came, where no uplink could be read."""

    id: int
    at: Instant
    tenant: str
    reason: RefusalReason
    detail: str
    uplink: Uplink | None = None
    topic: str = ""
    payload: bytes = b""


def cut_to_size(
    refusal_id: int, at: Instant, tenant: str, refused: Refused, uplink: Uplink | None, topic: str, payload: bytes
) -> Refusal:
    kept, where = payload[:LARGEST_PAYLOAD_BYTES], topic[:LONGEST_TOPIC]
    return Refusal(refusal_id, at, tenant, refused.reason, refused.detail, uplink, where, kept)


def counted(refusals: Iterable[Refusal]) -> list[Refusal]:
    """Count them; those that are kept as well."""
    lasting = []
    for one in refusals:
        metrics.REFUSED.labels(one.reason.value).inc()
        if one.reason not in COUNTED_ONLY:
            lasting.append(one)
    return lasting


def is_of_unknown(refusal: Refusal, hardware_ids: Collection[str]) -> bool:
    return (
        refusal.reason is RefusalReason.UNKNOWN_DEVICE
        and refusal.uplink is not None
        and refusal.uplink.hardware_id in hardware_ids
    )

"""Frames that were not stored: counted by reason, and the newest kept on disk so that they can be tried again."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path

import msgspec

from parvis.fleet import metrics
from parvis.fleet.uplink import Uplink
from parvis.kernel.time import Clock, Instant, system_clock

KEPT = 1000
MOST_OF_ONE_DEVICE = 100
"""So that one device that nobody knows does not push out all others."""
LARGEST_PAYLOAD_BYTES = 4096
LONGEST_TOPIC = 500
_LINES_BEFORE_REWRITE = 4 * KEPT


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


class _Line(msgspec.Struct, omit_defaults=True):
    kept: Refusal | None = None
    resolved: int = 0


_read_line = msgspec.json.Decoder(_Line).decode
_write_line = msgspec.json.Encoder().encode


class Refusals:
    """The newest refusals: at least `KEPT`, before they are trimmed twice as many.

    The file is an append log, rewritten when it has grown to four times `KEPT`.
    """

    def __init__(self, path: Path | None, clock: Clock = system_clock) -> None:
        """Without a path they are kept in memory only."""
        self._path = path
        self._clock = clock
        self._kept: dict[int, Refusal] = {}
        self._lines = 0
        self._last_id = 0
        self._writing = asyncio.Lock()
        if path is not None and path.exists():
            self._load(path)

    def list_refusals(self, tenant: str) -> list[Refusal]:
        """The newest first."""
        return [one for one in reversed(self._kept.values()) if one.tenant == tenant]

    def find(self, tenant: str, refusal_id: int) -> Refusal | None:
        refusal = self._kept.get(refusal_id)
        return refusal if refusal is not None and refusal.tenant == tenant else None

    def make(
        self, tenant: str, refused: Refused, uplink: Uplink | None = None, topic: str = "", payload: bytes = b""
    ) -> Refusal:
        now = self._clock()
        self._last_id = max(self._last_id + 1, now)
        kept, where = payload[:LARGEST_PAYLOAD_BYTES], topic[:LONGEST_TOPIC]
        return Refusal(self._last_id, now, tenant, refused.reason, refused.detail, uplink, where, kept)

    async def keep(self, refusals: Sequence[Refusal]) -> None:
        """Returns once they are on disk."""
        for one in refusals:
            metrics.REFUSED.labels(one.reason.value).inc()
        lasting = [one for one in refusals if one.reason not in COUNTED_ONLY]
        for one in lasting:
            self._kept[one.id] = one
        self._trim()
        await self._append([_Line(kept=one) for one in lasting])

    async def resolve(self, refusal_ids: Iterable[int]) -> None:
        """Forget those that were stored after all."""
        gone = [one for one in refusal_ids if self._kept.pop(one, None) is not None]
        await self._append([_Line(resolved=one) for one in gone])

    async def _append(self, lines: list[_Line]) -> None:
        if self._path is None or not lines:
            return
        async with self._writing:
            self._lines += len(lines)
            if self._lines > _LINES_BEFORE_REWRITE:
                kept = [_Line(kept=one) for one in self._kept.values()]
                await asyncio.to_thread(_rewrite, self._path, kept)
                self._lines = len(kept)
            else:
                await asyncio.to_thread(_append, self._path, lines)

    def _load(self, path: Path) -> None:
        """A last line that a crash cut short is passed over."""
        for text in path.read_bytes().splitlines():
            self._lines += 1
            try:
                line = _read_line(text)
            except msgspec.DecodeError:
                continue
            if line.kept is not None:
                self._kept[line.kept.id] = line.kept
                self._last_id = line.kept.id
            self._kept.pop(line.resolved, None)
            self._trim()

    def _trim(self) -> None:
        if len(self._kept) <= 2 * KEPT:
            return
        of_device: Counter[str] = Counter()
        chosen: list[Refusal] = []
        for one in reversed(self._kept.values()):
            hardware_id = "" if one.uplink is None else one.uplink.hardware_id
            of_device[hardware_id] += 1
            if of_device[hardware_id] <= MOST_OF_ONE_DEVICE and len(chosen) < KEPT:
                chosen.append(one)
        self._kept = {one.id: one for one in reversed(chosen)}


def _append(path: Path, lines: list[_Line]) -> None:
    with path.open("ab") as file:
        file.write(b"".join(b"\n" + _write_line(line) for line in lines))
        file.flush()
        os.fsync(file.fileno())


def _rewrite(path: Path, lines: list[_Line]) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    _append(fresh, lines)
    fresh.replace(path)

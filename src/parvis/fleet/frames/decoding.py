"""Payloads through their codecs, so that no device and no codec takes more than its share.

A device whose frames a codec does not end in time, or that takes much of it, is decoded apart from the others, in a
context of its own and from a budget of its own: what it does to the codec, it does to itself. So is each tenant: many
may use a profile that is for all.
"""

import asyncio
from collections.abc import Callable
from time import monotonic, perf_counter, thread_time

from parvis.fleet import metrics
from parvis.fleet.codecs.codec import Codec, CodecFailure, CodecResult
from parvis.fleet.devices.device import Device
from parvis.fleet.frames.work import Work, still_open
from parvis.fleet.model.budgets import TokenBucket
from parvis.fleet.model.refusal import RefusalReason, Refused
from parvis.fleet.profiles.profile import DeviceProfile

CODEC_SHARE, CODEC_BURST_S = 0.3, 3.0
"""Of one core, for one profile; a fleet of 10 000 devices a minute takes a thousandth."""
DEVICE_SHARE, DEVICE_BURST_S = 0.01, 0.3
SUSPECT_FOR_S = 3600.0
SLOW_FRAME_S = 0.002
MOST_SUSPECTS = 8
"""Where more devices than that overrun a codec, it is the codec that is bad, and it rests."""


class Decoding:
    def __init__(self, ticks_s: Callable[[], float] = monotonic) -> None:
        self._ticks_s = ticks_s
        self._guards: dict[tuple[str, DeviceProfile], _Guard] = {}

    async def decode(self, works: list[Work]) -> None:
        by_profile: dict[DeviceProfile, list[Work]] = {}
        for work in still_open(works):
            if work.uplink.fields is not None:
                work.data = work.uplink.fields
            else:
                by_profile.setdefault(work.of.profile, []).append(work)
        others = []
        for profile, of_profile in by_profile.items():
            if profile.codec is None:
                others.append(_decode_in_worker(profile, of_profile))
            else:
                self._guard(of_profile[0].of.tenant, profile).decode(of_profile)
        await asyncio.gather(*others)

    def _guard(self, tenant: str, profile: DeviceProfile) -> "_Guard":
        guard = self._guards.get((tenant, profile))
        if guard is None:
            guard = self._guards[tenant, profile] = _Guard(profile, self._ticks_s)
        return guard


async def _decode_in_worker(profile: DeviceProfile, works: list[Work]) -> None:
    began_s = perf_counter()
    results = await profile.decode([work.uplink for work in works])
    metrics.CODEC_SECONDS.observe((perf_counter() - began_s) / len(works))
    for work, result in zip(works, results, strict=True):
        _take(work, result)


class _Guard:
    """Of one profile whose codec runs in this process, and one tenant."""

    def __init__(self, profile: DeviceProfile, ticks_s: Callable[[], float]) -> None:
        self._profile = profile
        self._ticks_s = ticks_s
        self._codec = profile.new_codec()
        self._apart: Codec | None = None
        self._budget_s = TokenBucket(CODEC_SHARE, CODEC_BURST_S)
        self._suspects: dict[str, float] = {}
        self._is_slow = False

    def decode(self, works: list[Work]) -> None:
        now_s = self._ticks_s()
        if self._budget_s.left(now_s) <= 0:
            _refuse(works, f"the codec of {self._profile.id} takes more than its share of time")
            return
        alone = [work for work in works if work.of.running.suspect_until_s > now_s]
        together = works if not alone else [work for work in works if work.of.running.suspect_until_s <= now_s]
        if together:
            self._decode_together(together, now_s)
        for work in alone:
            self._decode_alone(work, now_s)

    def _decode_together(self, works: list[Work], now_s: float) -> None:
        """Once it is known that frames take long, device by device: whose they are."""
        is_slow = False
        for group in _by_device(works) if self._is_slow else (works,):
            took_s = self._run(self._codec, group) / len(group)
            if took_s > SLOW_FRAME_S:
                is_slow = True
                if self._is_slow:
                    self._suspect(group[0].of, now_s)
            for work in group:
                if _has_overrun(work):
                    self._suspect(work.of, now_s)
        self._is_slow = is_slow
        self._wake(works, now_s)

    def _wake(self, works: list[Work], now_s: float) -> None:
        """A codec that rests for what a few devices did begins anew, for the others."""
        resting = [work for work in works if _is_resting(work) and work.of.running.suspect_until_s <= now_s]
        if not resting or not 0 < len(self._suspects) <= MOST_SUSPECTS:
            return
        self._codec = self._profile.new_codec()
        for work in resting:
            work.refused = None
        self._run(self._codec, resting)

    def _decode_alone(self, work: Work, now_s: float) -> None:
        running = work.of.running
        if running.codec_s is None:
            running.codec_s = TokenBucket(DEVICE_SHARE, DEVICE_BURST_S)
        if running.codec_s.left(now_s) <= 0:
            _refuse([work], "frames of this device take the codec more than their share of time")
            return
        if self._apart is None:
            self._apart = self._profile.new_codec()
        running.codec_s.charge(self._run(self._apart, [work]), now_s)

    def _run(self, codec: Codec, works: list[Work]) -> float:
        """The seconds of CPU it took."""
        began_s = thread_time()
        results = codec.decode([work.uplink for work in works])
        took_s = thread_time() - began_s
        self._budget_s.charge(took_s, self._ticks_s())
        metrics.CODEC_SECONDS.observe(took_s / len(works))
        for work, result in zip(works, results, strict=True):
            _take(work, result)
        return took_s

    def _suspect(self, device: Device, now_s: float) -> None:
        self._suspects = {one: until for one, until in self._suspects.items() if until > now_s}
        if device.hardware_id not in self._suspects and len(self._suspects) > MOST_SUSPECTS:
            return
        self._suspects[device.hardware_id] = device.running.suspect_until_s = now_s + SUSPECT_FOR_S


def _take(work: Work, result: CodecResult) -> None:
    if isinstance(result, CodecFailure):
        work.refused = Refused(RefusalReason[f"CODEC_{result.fault.name}"], result.detail)
    else:
        work.data = result.data


def _refuse(works: list[Work], detail: str) -> None:
    for work in works:
        work.refused = Refused(RefusalReason.CODEC_RESTING, detail)


def _has_overrun(work: Work) -> bool:
    return work.refused is not None and work.refused.reason in _OVERRUN


def _is_resting(work: Work) -> bool:
    return work.refused is not None and work.refused.reason is RefusalReason.CODEC_RESTING


def _by_device(works: list[Work]) -> list[list[Work]]:
    groups: dict[str, list[Work]] = {}
    for work in works:
        groups.setdefault(work.uplink.hardware_id, []).append(work)
    return list(groups.values())


_OVERRUN = frozenset({RefusalReason.CODEC_TIMED_OUT, RefusalReason.CODEC_OUT_OF_MEMORY})

"""Frames that were not stored, the newest kept in a file, of one process, so that they can be tried again."""

import asyncio
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import msgspec

from parvis.fleet.refusal import KEPT, MOST_OF_ONE_DEVICE, Refusal, Refused, counted, cut_to_size, is_of_unknown
from parvis.fleet.uplink import Uplink
from parvis.kernel.time import Clock, system_clock

_LINES_BEFORE_REWRITE = 4 * KEPT


class _Line(msgspec.Struct, omit_defaults=True):
    kept: Refusal | None = None
    resolved: int = 0


_read_line = msgspec.json.Decoder(_Line).decode
_write_line = msgspec.json.Encoder().encode


class Refusals:
    """RefusalLog: the newest, at least `KEPT`, before they are trimmed twice as many.

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

    async def list_refusals(self, tenant: str) -> list[Refusal]:
        return [one for one in reversed(self._kept.values()) if one.tenant == tenant]

    async def list_unknown(self, tenant: str, hardware_ids: Collection[str]) -> list[int]:
        return [one.id for one in self._kept.values() if one.tenant == tenant and is_of_unknown(one, hardware_ids)]

    async def claim(self, tenant: str, refusal_ids: Iterable[int]) -> list[Refusal]:
        """Nobody else tries them: what one process has stored it knows for a duplicate."""
        found = (self._kept.get(one) for one in refusal_ids)
        return [one for one in found if one is not None and one.tenant == tenant]

    def make(
        self, tenant: str, refused: Refused, uplink: Uplink | None = None, topic: str = "", payload: bytes = b""
    ) -> Refusal:
        now = self._clock()
        self._last_id = max(self._last_id + 1, now)
        return cut_to_size(self._last_id, now, tenant, refused, uplink, topic, payload)

    async def keep(self, refusals: Sequence[Refusal]) -> None:
        lasting = counted(refusals)
        for one in lasting:
            self._kept[one.id] = one
        self._trim()
        await self._append([_Line(kept=one) for one in lasting])

    async def resolve(self, tenant: str, refusal_ids: Iterable[int]) -> None:
        gone = [one.id for one in await self.claim(tenant, refusal_ids)]
        for one in gone:
            del self._kept[one]
        await self._append([_Line(resolved=one) for one in gone])

    async def release(self, tenant: str, refusal_ids: Iterable[int]) -> None:
        pass

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

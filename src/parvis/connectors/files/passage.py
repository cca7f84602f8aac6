"""One pass over what was read of a file, in steps that each happen once: a check, or the import itself.

Before a step is written its end is kept (`pending`); the store moves its consumer in the same transaction as the
entities. So after a `kill -9` it is known of the last step whether it happened, and the pass goes on right behind it.
"""

import asyncio
import csv
import io
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.ports.store import Progress
from parvis.connectors.files.config import Mapping
from parvis.connectors.files.folders import Import, ImportFolder, Position
from parvis.connectors.files.intake import AHEAD, BATCH, Intake, Judged, Record
from parvis.connectors.files.mapping import Observation
from parvis.connectors.files.reading import COLUMNS, decoder_of
from parvis.connectors.files.report import Report, SeriesKey, Verdict
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant

_MOST_TRIES = 600
_AHEAD_BYTES = 4 << 20
"""An outline may be a megabyte."""


class MadeEntity(msgspec.Struct, frozen=True, tag="entity"):
    """An entity that was not there before."""

    id: str


class MadeSeries(msgspec.Struct, frozen=True, tag="series"):
    """`count` instances of a step. `is_alone`: nothing was stored between them before."""

    entity_id: str
    attribute: str
    dataset: str
    first: int
    last: int
    is_alone: bool
    count: int = 0


Made = MadeEntity | MadeSeries


def consumer_of(one: Import) -> str:
    return f"import/{one.tenant}/{one.id}"


class Passage:
    def __init__(
        self, broker: Broker, caller: Caller, one: Import, mapping: Mapping, folder: ImportFolder, *, is_dry: bool
    ) -> None:
        self._broker = broker
        self._one = one
        self._folder = folder
        self._is_dry = is_dry
        self._name = "check" if is_dry else "position"
        self._decode = decoder_of(mapping)
        self._intake = Intake(broker, caller, mapping, Report())
        self._outcomes = folder.outcomes(is_dry=is_dry)
        self.position = Position()

    async def run(self, tell: Callable[[float], None]) -> Position:
        """Raises Outrun where another process does the same."""
        self.position = Position() if self._is_dry else await self._resume()
        _cut(self._outcomes, self.position.outcomes)
        _cut(self._folder.made, self.position.made if not self._is_dry else _length(self._folder.made))
        total = max(1, _length(self._folder.records))
        while lines := await asyncio.to_thread(_read_lines, self._folder.records, self.position.offset):
            records = [self._decode(line) for line in lines]
            await self._intake.look_ahead(records)
            for start in range(0, len(lines), BATCH):
                await self._step(lines[start : start + BATCH], records[start : start + BATCH])
                tell(self.position.offset / total)
        return self.position

    async def _resume(self) -> Position:
        kept = self._folder.find("position", Position) or Position()
        pending = self._folder.find("pending", Position)
        event = await self._broker.outbox.position(consumer_of(self._one))
        if pending is not None and event and pending.event == event and pending.offset > kept.offset:
            return pending
        return msgspec.structs.replace(kept, event=event)

    async def _step(self, lines: list[bytes], records: list[Record]) -> None:
        judged = await self._intake.judge(records, self._one.name)
        writes = not self._is_dry and any(one.is_written for one in judged)
        made = [] if self._is_dry else self._list_made(judged)
        outcomes_end = await asyncio.to_thread(self._append, judged)
        made_end = await asyncio.to_thread(self._append_made, made)
        after = self._after(lines, judged, outcomes_end, made_end)
        if writes:
            after = await self._write(judged, after)
        self.position = after
        await asyncio.to_thread(self._folder.keep, self._name, after, is_durable=writes)

    def _after(self, lines: list[bytes], judged: Sequence[Judged], outcomes: int, made: int) -> Position:
        verdicts = Counter(self.position.verdicts)
        verdicts.update(one.verdict.value for one in judged)
        offset = self.position.offset + sum(map(len, lines))
        return Position(offset, self.position.event, outcomes, made, dict(verdicts))

    async def _write(self, judged: list[Judged], after: Position) -> Position:
        event = max(await self._broker.outbox.newest(), self.position.event + 1)
        after = msgspec.structs.replace(after, event=event)
        await asyncio.to_thread(self._folder.keep, "pending", after)
        progress = Progress(consumer_of(self._one), self.position.event, event)
        refused = await self._write_patiently(judged, progress)
        if not refused:
            return after
        verdicts = Counter(after.verdicts)
        verdicts[Verdict.REFUSED.value] += len(refused)
        verdicts.subtract(one.meant.value for one in refused if one.meant is not None)
        return msgspec.structs.replace(
            after, outcomes=await asyncio.to_thread(self._append, refused), verdicts=dict(verdicts)
        )

    async def _write_patiently(self, judged: list[Judged], progress: Progress) -> list[Judged]:
        """A store that is full or away for a while is waited for."""
        for _ in range(_MOST_TRIES):
            try:
                return await self._intake.write(judged, self._one.name, progress)
            except Overloaded as busy:
                await asyncio.sleep(busy.retry_after_s or 1)
        raise Overloaded("The store takes nothing: the import goes on from here when it is tried again.")

    def _append(self, judged: Sequence[Judged]) -> int:
        text = io.StringIO()
        sheet = csv.writer(text)
        if not _length(self._outcomes):
            sheet.writerow(COLUMNS)
        sheet.writerows(map(_row_of, judged))
        return _append(self._outcomes, text.getvalue().encode("utf-8", "replace"))

    def _append_made(self, made: Sequence[Made]) -> int:
        if self._is_dry:
            return 0
        return _append(self._folder.made, b"".join(msgspec.json.encode(one) + b"\n" for one in made))

    def _list_made(self, judged: Sequence[Judged]) -> list[Made]:
        entities = {one.record.entity_id for one in judged if one.is_written} - self._intake.known
        made: list[Made] = [MadeEntity(one) for one in sorted(entities)]
        times: defaultdict[SeriesKey, list[Instant]] = defaultdict(list)
        for one in judged:
            if one.verdict is Verdict.ADDED and isinstance(one.record, Observation):
                times[one.record.key].append(one.record.at)
        mixed = self._intake.mixed
        made += [MadeSeries(*key, min(at), max(at), key not in mixed, len(at)) for key, at in times.items()]
        return made


def _row_of(judged: Judged) -> tuple[object, ...]:
    record = judged.record
    column = record.series.column if isinstance(record, Observation) else ""
    return record.row, judged.verdict.value, record.entity_id, column, judged.told


def _read_lines(path: Path, offset: int) -> list[bytes]:
    lines: list[bytes] = []
    with path.open("rb") as records:
        records.seek(offset)
        while len(lines) < AHEAD and records.tell() - offset < _AHEAD_BYTES and (line := records.readline()):
            lines.append(line)
    return lines


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cut(path: Path, length: int) -> None:
    """What a step wrote that did not happen goes."""
    if _length(path) > length:
        os.truncate(path, length)


def _append(path: Path, content: bytes) -> int:
    """The length after it."""
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()

"""From files to the broker's history: nothing twice, nothing over what is stored."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.jsonld.context import Context
from parvis.broker.model.change import Change, Mode, Outcome, Status
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import TemporalQuery, TimeRelation
from parvis.connectors.files.codec import open_table
from parvis.connectors.files.config import InvalidMapping, Mapping, pattern_of
from parvis.connectors.files.mapping import Observation, TableReader
from parvis.connectors.files.report import Fault, FaultReason, Report, SeriesKey
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant

BATCH = 2000
_HISTORY_PAGE = 50_000
Progress = Callable[[int], None]
Value = int | float | str


class MappedFile(msgspec.Struct, frozen=True):
    path: Path
    name: str
    known: dict[str, str]


def find_files(paths: Iterable[Path], mapping: Mapping) -> list[MappedFile]:
    """The files given, and in folders those whose path ends as `source.file` says, in order of their names.

    Raises:
        InvalidMapping: a file that does not match, or none at all.
    """
    pattern = pattern_of(mapping.source.file) if mapping.source.file else None
    found = []
    for path in paths:
        candidates = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        for one in candidates:
            known = _known_of(one, pattern, mapping.source.file.count("/") + 1)
            if known is not None:
                found.append(MappedFile(one, one.name if path == one else str(one.relative_to(path)), known))
            elif one == path:
                raise InvalidMapping(f"{path.name} does not match source.file, {mapping.source.file!r}.")
    if not found:
        raise InvalidMapping(f"No file matches source.file, {mapping.source.file!r}.")
    return found


def _known_of(path: Path, pattern: re.Pattern[str] | None, depth: int) -> dict[str, str] | None:
    if pattern is None:
        return {}
    match = pattern.fullmatch("/".join(path.parts[-depth:]))
    return None if match is None else match.groupdict()


def count_rows(files: Iterable[MappedFile], mapping: Mapping) -> int:
    total = 0
    for file in files:
        with open_table(file.path, mapping.source) as table:
            total += table.expected
    return total


def read_files(
    files: Iterable[MappedFile], mapping: Mapping, report: Report, progress: Progress
) -> Iterator[tuple[MappedFile, Observation]]:
    for file in files:
        with open_table(file.path, mapping.source) as table:
            report.files += 1
            reader = TableReader(mapping, file.name, table.header, file.known, report)
            for observation in reader.read(table, lambda: progress(1)):
                yield file, observation


async def import_files(
    broker: Broker,
    caller: Caller,
    mapping: Mapping,
    files: Iterable[MappedFile],
    *,
    dry_run: bool = False,
    progress: Progress = lambda rows: None,
) -> Report:
    """Bring every observation of the files into history, once.

    An instance of the same entity, attribute, dataset and time is left alone: counted where its value is the same,
    reported as a conflict where it is not.
    """
    intake = _Intake(broker, caller, Report(), dry_run)
    for file, observation in read_files(files, mapping, intake.report, progress):
        intake.add(file, observation)
        if intake.is_full:
            await intake.write()
    await intake.write()
    return intake.report


class _Intake:
    """Gathers a batch, leaves out what is there already, writes the rest."""

    def __init__(self, broker: Broker, caller: Caller, report: Report, dry_run: bool) -> None:
        self.report = report
        self._broker = broker
        self._caller = caller
        self._dry_run = dry_run
        self._read: defaultdict[SeriesKey, dict[Instant, Value]] = defaultdict(dict)
        self._batch: list[tuple[MappedFile, Observation]] = []
        self._existed: dict[str, bool] = {}

    @property
    def is_full(self) -> bool:
        return len(self._batch) >= BATCH

    def add(self, file: MappedFile, observation: Observation) -> None:
        read = self._read[observation.key]
        if observation.at not in read:
            read[observation.at] = observation.value
            self._batch.append((file, observation))
        elif read[observation.at] == observation.value:
            self.report.of(observation.key).repeats += 1
        else:
            self._conflict(file, observation, read[observation.at])

    async def write(self) -> None:
        stored = await self._stored()
        fresh = [(file, one) for file, one in self._batch if self._is_new(file, one, stored.get((*one.key, one.at)))]
        self._batch = []
        if fresh and not self._dry_run:
            context = self._broker.contexts.default
            outcomes = await self._broker.write(self._caller, [_change(one, context) for _, one in fresh])
            self._note_outcomes(fresh, outcomes)

    def _is_new(self, file: MappedFile, observation: Observation, stored: Value | None) -> bool:
        series = self.report.of(observation.key)
        if stored is None:
            series.note(observation.at)
            return True
        if stored == observation.value:
            series.stored_before += 1
        else:
            self._conflict(file, observation, stored)
        return False

    async def _stored(self) -> dict[tuple[str, str, str, Instant], Value]:
        """What history holds at the times of the batch, of entities that were there before this import."""
        times: defaultdict[SeriesKey, list[Instant]] = defaultdict(list)
        for _, one in self._batch:
            times[one.key].append(one.at)
        found: dict[tuple[str, str, str, Instant], Value] = {}
        for key, instants in times.items():
            if await self._was_there(key[0]):
                for at, value in await self._stored_of(key, min(instants), max(instants) + 1):
                    found[*key, at] = value
        return found

    async def _was_there(self, entity_id: str) -> bool:
        if entity_id not in self._existed:
            self._existed[entity_id] = await self._broker.find(self._caller, entity_id) is not None
        return self._existed[entity_id]

    async def _stored_of(self, key: SeriesKey, start: Instant, end: Instant) -> list[tuple[Instant, Value]]:
        entity_id, attribute, dataset = key
        name = self._broker.contexts.default.expand(attribute)
        found: list[tuple[Instant, Value]] = []
        following: Instant | None = start
        while following is not None:
            query = TemporalQuery(TimeRelation.BETWEEN, following, end, attrs=(name,), limit=_HISTORY_PAGE)
            history = await self._broker.history(self._caller, entity_id, query)
            instances = history.instances.get((name, dataset), [])
            found += [(one.observed_at, one.value) for one in instances if one.observed_at is not None]
            reached = history.truncated_at
            following = None if reached is None or reached <= following else reached
        return found

    def _note_outcomes(self, written: list[tuple[MappedFile, Observation]], outcomes: list[Outcome]) -> None:
        for (file, one), outcome in zip(written, outcomes, strict=True):
            if outcome.status is Status.FAILED:
                self._refused(file, one, outcome.error)
            else:
                self.report.written += 1

    def _conflict(self, file: MappedFile, one: Observation, held: Value) -> None:
        text = f"{one.value!r} against {held!r}"
        self.report.fault(Fault(file.name, one.row, one.series.column, text, FaultReason.CONFLICT))

    def _refused(self, file: MappedFile, one: Observation, error: ParvisError | None) -> None:
        text = f"{one.entity_id}: {error.detail if error else ''}"
        self.report.fault(Fault(file.name, one.row, one.series.column, text, FaultReason.REFUSED))


def _change(one: Observation, context: Context) -> Change:
    series = one.series
    instance = Instance(
        context.expand(series.attribute),
        Kind.PROPERTY,
        one.value,
        dataset=series.dataset,
        observed_at=one.at,
        unit_code=series.unit_code,
    )
    return Change(one.entity_id, Mode.UPSERT_UPDATE, (instance,), types=(context.expand(series.type),))

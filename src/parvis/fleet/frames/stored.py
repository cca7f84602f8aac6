"""Frames, and records of frames, that history holds already: sent again after a restart, or long after the first time.

History is asked once for a run of frames of one device that lie close together.
"""

from collections.abc import Iterable, Iterator, Sequence

from parvis.broker.broker import Broker
from parvis.broker.model.entity import AttributeKey, Instance
from parvis.broker.model.once import CORRECTED_WITHIN, plain_value
from parvis.broker.query.tree import TemporalQuery, TimeRelation
from parvis.fleet.frames.work import Work, still_open
from parvis.fleet.model.refusal import RefusalReason, Refused
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.mapping import Mapped
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import system_caller
from parvis.kernel.time import HOUR, Instant

_Fact = tuple[AttributeKey, Instant | str, bytes]
_PAGE = 5000
_WIDEST_GAP = 12 * HOUR
_MOST_OF_A_RUN = 500


class StoredFrames:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._measured_at = broker.contexts.parvis.expand("measuredAt")

    async def drop(self, tenant: str, works: list[Work]) -> None:
        """Refuse works that are stored, or that tell only what another of them tells; take away stored records."""
        doubtful: dict[str, list[Work]] = {}
        for work in still_open(works):
            if work.may_be_stored or work.has_records:
                doubtful.setdefault(_entity_id(work), []).append(work)
        for entity_id, of_entity in doubtful.items():
            known: set[_Fact] = set()
            for run in _runs(of_entity):
                known |= await self._read(tenant, entity_id, [one for work in run for one in _told(work)])
                partly = [work for work in run if any(self._fact(one) in known for one in _told(work)[:1])]
                if beside := [one for work in partly for one in _beside(work)]:
                    known |= await self._read(tenant, entity_id, beside)
                self._judge(run, known)

    async def _read(self, tenant: str, entity_id: str, instances: Sequence[Instance]) -> set[_Fact]:
        names = tuple({one.name for one in instances})
        is_corrected = any(one.extra for one in instances)
        around = CORRECTED_WITHIN if is_corrected else 0
        start = min(one.seen_at for one in instances) - around
        end = max(one.seen_at for one in instances) + around + 1
        caller = system_caller("fleet", tenant)
        facts: set[_Fact] = set()
        while start < end:
            query = TemporalQuery(TimeRelation.BETWEEN, start, end, attrs=names, limit=_PAGE)
            try:
                history = await self._broker.history(caller, entity_id, query)
            except ResourceNotFound:
                return facts
            facts.update(self._fact(one) for of_key in history.instances.values() for one in of_key)
            if history.truncated_at is None:
                return facts
            start = max(history.truncated_at, start + 1)
        return facts

    def _judge(self, works: Iterable[Work], known: set[_Fact]) -> None:
        for work in works:
            if work.has_records or self._fact(_told(work)[0]) in known:
                self._drop_stored(work, known)

    def _drop_stored(self, work: Work, known: set[_Fact]) -> None:
        """A logger tells the same record in several frames, and a device may tell of one moment in two. What is left
        of the frame is new."""
        mapped = work.values
        asset = list(self._new(mapped.asset, known))
        device = mapped.device if mapped.asset else list(self._new(mapped.device, known))
        if not asset and (mapped.asset or not device):
            _refuse(work)
            return
        work.mapped = Mapped(asset, device, mapped.impossible)
        known.update(self._fact(one) for one in asset or device)

    def _new(self, instances: list[Instance], known: set[_Fact]) -> Iterator[Instance]:
        told: set[_Fact] = set()
        for one in instances:
            fact = self._fact(one)
            if fact not in known and fact not in told:
                told.add(fact)
                yield one

    def _fact(self, instance: Instance) -> _Fact:
        """What was told, and when: by the device's own time where that was corrected, now maybe by a little more."""
        raw = (instance.extra or {}).get(self._measured_at)
        at = instance.seen_at if raw is None else raw["value"]["@value"]
        return (instance.key, at, plain_value(instance.value))


def duplicate_of(uplink: Uplink) -> Refused:
    return Refused(RefusalReason.DUPLICATE, f"frame counter {uplink.f_cnt}")


def _refuse(work: Work) -> None:
    work.refused = duplicate_of(work.uplink)


def _runs(works: list[Work]) -> Iterator[list[Work]]:
    ordered = sorted(works, key=lambda work: work.at)
    run: list[Work] = []
    for work in ordered:
        if run and (work.at - run[-1].at > _WIDEST_GAP or len(run) >= _MOST_OF_A_RUN):
            yield run
            run = []
        run.append(work)
    if run:
        yield run


def _entity_id(work: Work) -> str:
    return work.of.asset_id if work.values.asset else work.of.entity_id


def _told(work: Work) -> list[Instance]:
    """A frame's values are mostly stored together: where it has no records, the others are asked about only where the
    first one is stored."""
    told = work.values.asset or work.values.device
    return told if work.has_records else told[:1]


def _beside(work: Work) -> list[Instance]:
    return (work.values.asset or work.values.device)[len(_told(work)) :]

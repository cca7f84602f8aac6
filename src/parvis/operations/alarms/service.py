"""The alarms of a tenant: raised by rules, looked at and acted upon by people, under their rights and in the trail."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

import msgspec

from parvis.access.model import AuditEntry, AuditRecord
from parvis.broker.broker import Broker
from parvis.broker.model.change import Change
from parvis.broker.model.entity import Entity
from parvis.broker.query.tree import Compare, EntityQuery, OneOf, Operator, Path, TypeIs
from parvis.kernel.identity import Caller, system_caller
from parvis.kernel.time import Clock, Instant, system_clock
from parvis.operations.alarms.life import LONGEST_SHELVING, Act, Verb, done, due_at, found, state_of
from parvis.operations.alarms.model import Alarm, AlarmNotFound, Finding, Rationalization, State
from parvis.operations.alarms.priority import in_order
from parvis.operations.alarms.records import AlarmRecords

PAGE = 500
MOST_AT_ONCE = 1_000
"""Ids in one question to the store."""
_SETTLED_AFTER = 5
DEEDS = {
    Verb.ACKNOWLEDGE: "alarm-acknowledged",
    Verb.CLEAR: "alarm-cleared",
    Verb.SHELVE: "alarm-shelved",
    Verb.UNSHELVE: "alarm-unshelved",
    Verb.SUPPRESS: "alarm-suppressed",
    Verb.RELEASE: "alarm-released",
    Verb.TAKE_OUT: "alarm-taken-out-of-service",
    Verb.PUT_BACK: "alarm-put-back-into-service",
}
ON_THE_LIST = (State.UNACKNOWLEDGED, State.ACKNOWLEDGED, State.RETURNED_UNACKNOWLEDGED, State.LATCHED)


class Alarms:
    """What is stored of a state may be behind by an instant, where two write at once or a shelving ends: what is told
    here is made anew of what each of them wrote."""

    def __init__(
        self,
        broker: Broker,
        audit: Callable[[AuditRecord], AuditEntry],
        clock: Clock = system_clock,
        longest_shelving: Instant = LONGEST_SHELVING,
    ) -> None:
        self._broker = broker
        self._audit = audit
        self._clock = clock
        self._longest_shelving = longest_shelving
        self.records = AlarmRecords(broker.contexts.parvis.expand)

    async def changes_for(
        self, tenant: str, findings: Sequence[Finding], rules: Mapping[str, Rationalization], now: Instant
    ) -> list[Change]:
        """What the findings mean, to be written in the transaction in which they were made. The same findings once more
        mean nothing; each turn of an alarm is a change of its own, in their order; those of a rule that is not in
        `rules` do not count."""
        caller = system_caller("alarms", tenant)
        known = await self._find_known(caller, {one.alarm_id for one in findings})
        turns: list[tuple[Alarm | None, Alarm]] = []
        for one in (told for told in findings if told.rule_id in rules):
            about, before = rules[one.rule_id], known.get(one.alarm_id)
            after = _turned(before or Alarm(one.rule_id, one.entity_id, about), one, about)
            if after.occurred_at and after != before:
                known[one.alarm_id] = after
                turns.append((before, after))
        raised = {after.entity_id for before, after in turns if before is None}
        sources = {one.id: one async for one in self._walk_ids(caller, raised)}
        return [
            self.records.change(before, after, state_of(after, now), sources.get(after.entity_id))
            for before, after in turns
        ]

    async def get(self, caller: Caller, alarm_id: str) -> Alarm:
        """Raises AlarmNotFound."""
        return (await self._get(caller, alarm_id))[1]

    async def list_on(self, caller: Caller, states: Iterable[State] = ON_THE_LIST) -> list[Alarm]:
        """As far as the caller may read them, the heaviest first."""
        wanted, now = set(states), self._clock()
        return in_order([one async for _, one in self._walk_abnormal(caller) if state_of(one, now) in wanted])

    async def act(
        self, caller: Caller, alarm_id: str, verb: Verb, why: str = "", until: Instant | None = None
    ) -> Alarm:
        """Raises Forbidden, AlarmNotFound, NotInThisState, BadRequestData."""
        self._broker.check_writer(caller)
        _, before = await self._get(caller, alarm_id)
        act = Act(verb, caller.subject, self._clock(), why, until)
        after = done(before, act, self._longest_shelving)
        await self._write(caller, [self.records.change(before, after, state_of(after, act.at), None)])
        facts = {"entity": before.entity_id, "rule": before.rule_id} | ({"why": act.why} if act.why else {})
        self._audit(AuditRecord(act.at, caller.tenant, caller.subject, DEEDS[verb], alarm_id, facts))
        return await self._settled(caller.tenant, alarm_id)

    async def wake(self, tenant: str) -> Instant | None:
        """Tells of those whose shelving has ended; when the next one does. After a kill it is called again, and nothing
        is lost: until when is stored with each."""
        caller, now = system_caller("alarms", tenant), self._clock()
        due: list[Instant] = []
        late: list[Change] = []
        async for entity, alarm in self._walk_abnormal(caller):
            state = state_of(alarm, now)
            if state.value != self.records.stored_state(entity):
                late.append(self.records.state_change(alarm, state))
            at = due_at(alarm, now)
            if at is not None:
                due.append(at)
        await self._write(caller, late)
        return min(due, default=None)

    async def _settled(self, tenant: str, alarm_id: str) -> Alarm:
        """Who writes last has seen what all others wrote."""
        caller = system_caller("alarms", tenant)
        for _ in range(_SETTLED_AFTER):
            entity, alarm = await self._get(caller, alarm_id)
            state = state_of(alarm, self._clock())
            if self.records.stored_state(entity) == state.value:
                break
            await self._write(caller, [self.records.state_change(alarm, state)])
        return alarm

    async def _get(self, caller: Caller, alarm_id: str) -> tuple[Entity, Alarm]:
        entity = await self._broker.find(caller, alarm_id)
        alarm = None if entity is None or self.records.type_iri not in entity.types else self.records.read(entity)
        if entity is None or alarm is None:
            raise AlarmNotFound(f"There is no alarm {alarm_id[:200]!r}.")
        return entity, alarm

    async def _find_known(self, caller: Caller, ids: Iterable[str]) -> dict[str, Alarm]:
        read = [self.records.read(entity) async for entity in self._walk_ids(caller, ids)]
        return {one.id: one for one in read if one is not None}

    async def _walk_ids(self, caller: Caller, ids: Iterable[str]) -> AsyncIterator[Entity]:
        wanted = sorted(ids)
        for start in range(0, len(wanted), MOST_AT_ONCE):
            query = EntityQuery(ids=tuple(wanted[start : start + MOST_AT_ONCE]), limit=PAGE)
            async for entity in self._broker.walk(caller, query):
                yield entity

    async def _walk_abnormal(self, caller: Caller) -> AsyncIterator[tuple[Entity, Alarm]]:
        values = tuple(state.value for state in State if state is not State.NORMAL)
        is_abnormal = Compare(Path(self.records.state_iri), Operator.EQUAL, OneOf(values))
        query = EntityQuery(types=TypeIs(self.records.type_iri), q=is_abnormal, limit=PAGE)
        async for entity in self._broker.walk(caller, query):
            alarm = self.records.read(entity)
            if alarm is not None:
                yield entity, alarm

    async def _write(self, caller: Caller, changes: Sequence[Change]) -> None:
        """Raises what the first of them was refused for."""
        for outcome in await self._broker.write(caller, changes):
            if outcome.error is not None:
                raise outcome.error


def _turned(alarm: Alarm, finding: Finding, about: Rationalization) -> Alarm:
    """What stands keeps the weight with which it was raised, though the rule weighs otherwise by now."""
    turned = found(alarm, finding)
    return msgspec.structs.replace(turned, about=about) if turned.occurred_at != alarm.occurred_at else turned

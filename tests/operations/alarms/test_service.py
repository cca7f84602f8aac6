"""Alarms as entities: raised once whatever is told twice, acted upon under rights, in the trail, and never stuck."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from parvis.access.audit import next_entry
from parvis.access.model import AuditEntry, AuditRecord
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import TemporalQuery
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import DEFAULT_TENANT, OPERATOR, Caller, Right, system_caller
from parvis.kernel.reach import Area, Reach
from parvis.kernel.time import HOUR, MINUTE
from parvis.operations.alarms.life import Verb
from parvis.operations.alarms.model import (
    AlarmNotFound,
    Consequence,
    Finding,
    NotInThisState,
    Priority,
    Rationalization,
    State,
    Urgency,
    alarm_id,
)
from parvis.operations.alarms.past import occurrences_of
from parvis.operations.alarms.service import Alarms
from parvis.stores.sqlite.store import SqliteStore

RULES = system_caller("rules")
ADA = Caller(DEFAULT_TENANT, "user:ada", OPERATOR)
READER = Caller(DEFAULT_TENANT, "user:bo", Right.READ)
BURST, WET = "urn:ngsi-ld:Rule:burst", "urn:ngsi-ld:Rule:wet"
MAIN, CELLAR = "urn:ngsi-ld:Pipe:12", "urn:ngsi-ld:Building:3"
ABOUT = {
    BURST: Rationalization("Burst main", Consequence.MAJOR, Urgency.NOW, category="water"),
    WET: Rationalization("Water in the cellar", Consequence.MODERATE, Urgency.DAY, latches=True),
}
ALARM = alarm_id(BURST, MAIN)
T0 = 500_000 * HOUR
POINT = {"type": "Point", "coordinates": [-2.9, 47.7]}


class Room:
    """A territory with one main, one cellar, a clock that is set and a trail that is kept."""

    def __init__(self, store: SqliteStore) -> None:
        self.now = T0
        self.trail: list[AuditRecord] = []
        self.broker = Broker(store, Contexts())
        self.alarms = Alarms(self.broker, self._keep, lambda: self.now)

    def _keep(self, record: AuditRecord) -> AuditEntry:
        self.trail.append(record)
        return next_entry(None, record)

    def expand(self, term: str) -> str:
        return self.broker.contexts.parvis.expand(term)

    async def furnish(self) -> None:
        place = Instance(self.expand("location"), Kind.GEO_PROPERTY, POINT)
        types = (self.expand("Building"),)
        changes = [Change(name, Mode.CREATE, (place,), types, ("/west/water",)) for name in (MAIN, CELLAR)]
        await self.broker.write(RULES, changes)

    async def find_out(self, *findings: Finding) -> int:
        changes = await self.alarms.changes_for(DEFAULT_TENANT, findings, ABOUT, self.now)
        for outcome in await self.broker.write(RULES, changes):
            assert outcome.error is None
        return len(changes)

    async def value(self, term: str) -> Any:
        found = (await self.broker.get(RULES, ALARM)).find(self.expand(term))
        return None if found is None else found.value


def within(scope: str) -> Reach:
    return (Area(scopes=(scope,)),)


def burst(is_true: bool = True, at: int = T0) -> Finding:
    return Finding(BURST, MAIN, is_true, at, {"flow": 41.5})


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    store = await SqliteStore.open(":memory:")
    room = Room(store)
    await room.furnish()
    yield room
    await store.close()


async def test_what_a_rule_finds_is_an_alert_where_its_object_is(room: Room) -> None:
    assert await room.find_out(burst()) == 1
    alert = await room.broker.get(RULES, ALARM)
    assert (alert.types, alert.scopes) == ((room.expand("Alert"),), ("/west/water",))
    assert await room.value("location") == POINT
    told = [await room.value(term) for term in ("severity", "alarmState", "alertSource", "alarmValues")]
    assert told == ["critical", "unacknowledged", MAIN, {"flow": 41.5}]


async def test_told_twice_it_is_raised_once_and_what_never_held_is_no_alarm(room: Room) -> None:
    assert await room.find_out(burst()) == 1
    assert await room.find_out(burst(), burst()) == 0
    assert await room.find_out(Finding(WET, MAIN, False, T0)) == 0
    assert await room.find_out(Finding("urn:ngsi-ld:Rule:deleted", MAIN, True, T0)) == 0
    assert [one.id for one in await room.alarms.list_on(ADA)] == [ALARM]


async def test_many_turns_in_one_batch_count_in_their_order(room: Room) -> None:
    assert await room.find_out(burst(), burst(False, T0 + 1), burst(True, T0 + 2)) == 3
    alarm = await room.alarms.get(ADA, ALARM)
    assert (alarm.is_active, alarm.occurred_at) == (True, T0 + 2)


async def test_what_is_read_is_what_was_written(room: Room) -> None:
    await room.find_out(burst())
    await room.alarms.act(ADA, ALARM, Verb.ACKNOWLEDGE, "team sent")
    await room.alarms.act(ADA, ALARM, Verb.SHELVE, "works", T0 + HOUR)
    for verb in (Verb.SUPPRESS, Verb.TAKE_OUT):
        told = await room.alarms.act(ADA, ALARM, verb, "pipe replaced")
    assert told == await room.alarms.get(ADA, ALARM)
    assert told.about == ABOUT[BURST]
    assert (told.since, told.occurred_at, told.values) == (T0, T0, {"flow": 41.5})
    holds = (told.shelved, told.suppressed, told.out_of_service)
    assert [one is not None and one.is_on for one in holds] == [True, True, True]


async def test_who_acts_stands_in_the_trail_and_in_the_history(room: Room) -> None:
    await room.find_out(burst())
    room.now += MINUTE
    await room.alarms.act(ADA, ALARM, Verb.ACKNOWLEDGE, "team sent")
    assert [(one.subject, one.action, one.object, one.facts["why"]) for one in room.trail] == [
        ("user:ada", "alarm-acknowledged", ALARM, "team sent")
    ]
    history = await room.broker.history(ADA, ALARM, TemporalQuery())
    states = [one.value for one in history.instances[room.expand("alarmState"), ""]]
    assert sorted(states) == ["acknowledged", "unacknowledged"]


async def test_who_may_only_read_acts_on_nothing(room: Room) -> None:
    await room.find_out(burst())
    with pytest.raises(Forbidden):
        await room.alarms.act(READER, ALARM, Verb.ACKNOWLEDGE)
    assert await room.value("alarmState") == "unacknowledged"
    assert room.trail == []


async def test_who_has_one_trade_alone_neither_sees_nor_acknowledges_another(room: Room) -> None:
    await room.find_out(burst())
    lighting = replace(ADA, reads=within("/west/lighting"), writes=within("/west/lighting"))
    with pytest.raises(AlarmNotFound):
        await room.alarms.act(lighting, ALARM, Verb.ACKNOWLEDGE)
    seeing = replace(ADA, writes=within("/west/lighting"))
    with pytest.raises(Forbidden):
        await room.alarms.act(seeing, ALARM, Verb.ACKNOWLEDGE)
    assert await room.alarms.list_on(lighting) == []
    assert room.trail == []


async def test_acknowledging_twice_is_refused_with_what_can_be_done(room: Room) -> None:
    await room.find_out(burst())
    await room.alarms.act(ADA, ALARM, Verb.ACKNOWLEDGE)
    with pytest.raises(NotInThisState):
        await room.alarms.act(ADA, ALARM, Verb.ACKNOWLEDGE)
    assert len(room.trail) == 1


async def test_a_shelved_alarm_leaves_the_list_and_comes_back_after_a_restart(room: Room) -> None:
    await room.find_out(burst())
    await room.alarms.act(ADA, ALARM, Verb.SHELVE, "works", T0 + HOUR)
    assert await room.alarms.list_on(ADA) == []
    started_anew = Alarms(room.broker, room._keep, lambda: room.now)
    assert await started_anew.wake(DEFAULT_TENANT) == T0 + HOUR
    room.now = T0 + HOUR
    assert await started_anew.wake(DEFAULT_TENANT) is None
    assert await room.value("alarmState") == "unacknowledged"
    assert [one.id for one in await started_anew.list_on(ADA)] == [ALARM]


async def test_a_rule_and_a_person_who_write_at_once_lose_nothing_of_each_other(room: Room) -> None:
    await room.find_out(burst())
    passed = await room.alarms.changes_for(DEFAULT_TENANT, [burst(False, T0 + MINUTE)], ABOUT, T0 + MINUTE)
    room.now += MINUTE
    await room.alarms.act(ADA, ALARM, Verb.ACKNOWLEDGE)
    await room.broker.write(RULES, passed)
    assert await room.value("alarmState") == "returned-unacknowledged"
    assert (await room.alarms.get(ADA, ALARM)).is_acknowledged
    assert await room.alarms.list_on(ADA) == []
    await room.alarms.wake(DEFAULT_TENANT)
    assert await room.value("alarmState") == "normal"


async def test_what_latches_is_cleared_by_hand(room: Room) -> None:
    wet = alarm_id(WET, CELLAR)
    await room.find_out(Finding(WET, CELLAR, True, T0), Finding(WET, CELLAR, False, T0 + 1))
    room.now += MINUTE
    await room.alarms.act(ADA, wet, Verb.ACKNOWLEDGE)
    assert [one.id for one in await room.alarms.list_on(ADA, [State.LATCHED])] == [wet]
    await room.alarms.act(ADA, wet, Verb.CLEAR, "dried")
    assert await room.alarms.list_on(ADA) == []


async def test_an_alert_of_somebody_else_is_no_alarm_of_ours(room: Room) -> None:
    forged = [
        Instance(room.expand("alertSource"), Kind.RELATIONSHIP, MAIN),
        Instance(room.expand("detectedBy"), Kind.RELATIONSHIP, BURST),
        Instance(room.expand("alarmActive"), Kind.PROPERTY, True),
        Instance(room.expand("alarmState"), Kind.PROPERTY, "unacknowledged"),
        Instance(room.expand("consequence"), Kind.PROPERTY, "severe"),
        Instance(room.expand("urgency"), Kind.PROPERTY, "now"),
    ]
    others = "urn:ngsi-ld:Alert:meteo-france"
    await room.broker.write(RULES, [Change(others, Mode.CREATE, tuple(forged), (room.expand("Alert"),))])
    assert await room.alarms.list_on(ADA) == []
    with pytest.raises(AlarmNotFound):
        await room.alarms.act(ADA, others, Verb.ACKNOWLEDGE)


async def test_the_figures_of_a_room_are_made_of_the_history_of_its_alarms(room: Room) -> None:
    await room.find_out(burst(), burst(False, T0 + MINUTE))
    await room.find_out(burst(True, T0 + HOUR))
    room.now = T0 + HOUR + 2 * MINUTE
    await room.alarms.act(ADA, ALARM, Verb.ACKNOWLEDGE)
    await room.find_out(burst(False, T0 + 2 * HOUR))
    await room.find_out(burst(True, T0 + 3 * HOUR))
    told = occurrences_of(await room.broker.history(ADA, ALARM, TemporalQuery()), room.expand)
    assert [(one.began_at, one.ended_at, one.acknowledged_at) for one in told] == [
        (T0, T0 + MINUTE, None),
        (T0 + HOUR, T0 + 2 * HOUR, T0 + HOUR + 2 * MINUTE),
        (T0 + 3 * HOUR, None, None),
    ]
    assert {one.priority for one in told} == {Priority.CRITICAL}

"""Alarms on every store: raised by a batch, found by their state, shelved, and back when the time is over."""

from parvis.access.audit import next_entry
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.ports.store import Store
from parvis.kernel.identity import DEFAULT_TENANT, OPERATOR, Caller, system_caller
from parvis.kernel.time import HOUR
from parvis.operations.alarms.life import Verb
from parvis.operations.alarms.model import Consequence, Finding, Rationalization, State, Urgency
from parvis.operations.alarms.service import Alarms

ADA = Caller(DEFAULT_TENANT, "user:ada", OPERATOR)
RULE = "urn:ngsi-ld:Rule:lamp-out"
ABOUT = {RULE: Rationalization("Lamp out", Consequence.MINOR, Urgency.WEEK)}
T0 = 500_000 * HOUR
LAMPS = 1_200
"""More than one page, and than one question by ids."""


def lamp_out(number: int, is_true: bool = True, at: int = T0) -> Finding:
    return Finding(RULE, f"urn:ngsi-ld:Streetlight:{number}", is_true, at)


async def test_a_night_of_alarms(store: Store) -> None:
    now = T0
    broker = Broker(store, Contexts())
    alarms = Alarms(broker, lambda record: next_entry(None, record), lambda: now)

    async def find_out(*findings: Finding) -> int:
        changes = await alarms.changes_for(DEFAULT_TENANT, findings, ABOUT, now)
        await broker.write(system_caller("rules"), changes)
        return len(changes)

    night = [lamp_out(number) for number in range(LAMPS)]
    assert await find_out(*night) == LAMPS
    assert await find_out(*night) == 0
    assert len(await alarms.list_on(ADA)) == LAMPS

    first, second, third = (one.alarm_id for one in night[:3])
    await alarms.act(ADA, first, Verb.ACKNOWLEDGE)
    await alarms.act(ADA, second, Verb.SHELVE, "pole replaced", T0 + HOUR)
    assert await find_out(lamp_out(0, False, T0 + 1), lamp_out(2, False, T0 + 1)) == 2
    told = {state: [one.id for one in await alarms.list_on(ADA, [state])] for state in State}
    assert (told[State.SHELVED], told[State.RETURNED_UNACKNOWLEDGED]) == ([second], [third])
    assert len(told[State.UNACKNOWLEDGED]) == LAMPS - 3

    assert await alarms.wake(DEFAULT_TENANT) == T0 + HOUR
    now = T0 + HOUR
    assert await alarms.wake(DEFAULT_TENANT) is None
    assert len(await alarms.list_on(ADA, [State.UNACKNOWLEDGED])) == LAMPS - 2

"""Commands from who gives them to the device that acknowledges them, whatever happens on the way."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from parvis.access.model import AuditRecord
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.fleet.commands import downlink as downlink_module
from parvis.fleet.commands.command import Command, CommandState, TooManyCommands, postponed
from parvis.fleet.commands.downlink import Commands, CommandWish, NotSendable, NotSentNow, Order
from parvis.fleet.model.events import Delivery, DeliveryReport
from parvis.kernel.errors import BadRequestData, Forbidden, Overloaded, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.outbound import CallFailed
from parvis.kernel.reach import Area
from parvis.kernel.time import DAY, HOUR, MINUTE, SECOND
from tests.fakes.clock import SetClock
from tests.fleet.conftest import CALLER, DEVICE, EUI, NOON, RECORD, Village, eventually

OPEN_VALVE = CommandWish(10, b"\1")
CONFIRMED = CommandWish(10, b"\1", is_confirmed=True, expires_in=HOUR)


class FakeNetwork:
    """Takes orders, or says why not."""

    def __init__(self) -> None:
        self.taken: list[Order] = []
        self.faults: list[Exception] = []
        self.before_answer: Callable[[Order], Any] | None = None

    async def send(self, order: Order) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append(order)
        if self.before_answer is not None:
            await self.before_answer(order)


class Town:
    def __init__(self, village: Village) -> None:
        self.village = village
        self.clock = SetClock(NOON)
        self.audit: list[AuditRecord] = []
        self.network = FakeNetwork()
        self.commands = self.restarted()

    def restarted(self) -> Commands:
        commands = Commands(self.village.store.commands, self.village.fleet.registry, self.audit.append, self.clock)
        commands.send_by({"chirpstack": self.network})
        return commands

    async def heard_by(self, route: str) -> None:
        name = self.village.broker.contexts.parvis.expand("downlinkRoute")
        change = Change(DEVICE, Mode.UPSERT_UPDATE, (Instance(name, Kind.PROPERTY, route),))
        await self.village.broker.write(CALLER, [change])
        await self.village.fleet.registry.refresh("default", DEVICE)

    async def give(self, wish: CommandWish = OPEN_VALVE) -> Command:
        return await self.commands.give(CALLER, EUI, wish)

    async def newest(self) -> Command:
        return (await self.commands.list_commands(CALLER, EUI))[0]

    async def report(self, command: Command, delivery: Delivery, detail: str = "") -> bool:
        return await self.commands.report("default", DeliveryReport(command.id, EUI, delivery, self.clock(), detail))


@pytest.fixture
async def town(village: Village) -> Town:
    await village.fleet.register(CALLER, [RECORD])
    made = Town(village)
    await made.heard_by("chirpstack:app")
    return made


async def test_a_command_is_sent_by_the_way_that_hears_the_device(town: Town) -> None:
    given = await town.give()
    assert (given.state, given.creator) == (CommandState.QUEUED, CALLER.subject)
    await town.commands.send_due()
    (order,) = town.network.taken
    assert (order.command_id, order.hardware_id, order.route) == (given.id, EUI, "app")
    assert (order.f_port, order.payload, order.expires_in_s) == (10, b"\1", 86_400)
    sent = await town.newest()
    assert (sent.state, sent.way, sent.is_open) == (CommandState.SENT, "chirpstack", False)
    await town.commands.send_due()
    assert len(town.network.taken) == 1


async def test_who_gave_it_stands_in_the_audit_trail_once(town: Town) -> None:
    wish = CommandWish(10, b"\1\xff", key="open the valve")
    first, again = await town.give(wish), await town.give(wish)
    assert first == again
    (record,) = town.audit
    assert (record.subject, record.action, record.object) == (CALLER.subject, "command-given", DEVICE)
    assert record.facts == {"command": first.id, "port": "10", "payload": "01ff"}


async def test_a_key_names_one_command(town: Town) -> None:
    await town.give(CommandWish(10, b"\1", key="k"))
    with pytest.raises(BadRequestData):
        await town.give(CommandWish(10, b"\2", key="k"))


async def test_a_confirmed_command_is_over_when_the_device_says_so(town: Town) -> None:
    given = await town.give(CONFIRMED)
    await town.commands.send_due()
    assert await town.report(given, Delivery.TRANSMITTED, "church")
    transmitted = await town.newest()
    assert (transmitted.state, transmitted.transmitted_at) == (CommandState.SENT, NOON)
    assert transmitted.is_open
    assert await town.report(given, Delivery.ACKNOWLEDGED)
    assert await town.report(given, Delivery.FAILED, "too late to fail")
    acknowledged = await town.newest()
    assert (acknowledged.state, acknowledged.is_open) == (CommandState.ACKNOWLEDGED, False)


async def test_a_confirmed_command_without_an_answer_expires_and_a_late_answer_still_counts(town: Town) -> None:
    given = await town.give(CONFIRMED)
    await town.commands.send_due()
    await town.report(given, Delivery.NOT_ACKNOWLEDGED)
    town.clock.advance(HOUR)
    await town.commands.send_due()
    expired = await town.newest()
    assert (expired.state, expired.detail) == (CommandState.EXPIRED, "the device did not acknowledge in time")
    await town.report(given, Delivery.ACKNOWLEDGED)
    assert (await town.newest()).state is CommandState.ACKNOWLEDGED


async def test_a_network_that_does_not_answer_is_tried_later_and_later_until_the_command_expires(town: Town) -> None:
    town.network.faults = [CallFailed("no answer")] * 100
    await town.give(CONFIRMED)
    waits = []
    for _ in range(3):
        await town.commands.send_due()
        waiting = await town.newest()
        assert (waiting.state, waiting.detail) == (CommandState.QUEUED, "no answer")
        assert waiting.due_at is not None
        waits.append((waiting.due_at - town.clock()) // SECOND)
        town.clock.advance(waiting.due_at - town.clock())
    assert waits == [5, 10, 20]
    town.clock.advance(HOUR)
    await town.commands.send_due()
    over = await town.newest()
    assert (over.state, over.detail, town.network.taken) == (CommandState.EXPIRED, "no answer", [])


async def test_what_the_network_will_never_take_fails(town: Town) -> None:
    town.network.faults = [NotSendable("too long")]
    await town.give()
    await town.commands.send_due()
    failed = await town.newest()
    assert (failed.state, failed.detail) == (CommandState.FAILED, "too long")


async def test_one_command_that_is_not_taken_now_holds_up_no_other(town: Town) -> None:
    town.network.faults = [NotSentNow("the queue of the device is full"), ValueError("a fault of ours")]
    for number in range(3):
        await town.give(CommandWish(10, bytes([number])))
        town.clock.advance(1)
    await town.commands.send_due()
    states = [one.state for one in await town.commands.list_commands(CALLER, EUI)]
    assert states == [CommandState.SENT, CommandState.QUEUED, CommandState.QUEUED]


async def test_a_network_that_cannot_be_reached_is_asked_once_for_all_that_wait(town: Town) -> None:
    town.network.faults = [CallFailed("no route")]
    for number in range(3):
        await town.give(CommandWish(10, bytes([number])))
    await town.commands.send_due()
    assert town.network.taken == []
    town.clock.advance(5 * SECOND)
    await town.commands.send_due()
    assert len(town.network.taken) == 3


async def test_a_network_that_hangs_holds_up_no_other(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downlink_module, "SEND_WITHIN_S", 0.05)
    hanging = FakeNetwork()
    hanging.before_answer = lambda _order: asyncio.sleep(10)
    town.commands.send_by({"chirpstack": hanging})
    await town.give()
    await town.commands.send_due()
    assert (await town.newest()).detail == "the network did not answer within 0.05 s"


async def test_a_command_waits_for_the_first_frame_of_its_device(town: Town) -> None:
    await town.heard_by("")
    await town.give()
    await town.commands.send_due()
    assert (await town.newest()).detail == "no network that sends has heard the device yet"
    await town.heard_by("chirpstack:app")
    town.clock.advance(5 * SECOND)
    await town.commands.send_due()
    assert (await town.newest()).state is CommandState.SENT


async def test_a_report_that_outruns_our_own_note_holds(town: Town) -> None:
    async def acknowledge(order: Order) -> None:
        await town.commands.report("default", DeliveryReport(order.command_id, EUI, Delivery.ACKNOWLEDGED, NOON))

    town.network.before_answer = acknowledge
    await town.give(CONFIRMED)
    await town.commands.send_due()
    assert (await town.newest()).state is CommandState.ACKNOWLEDGED


async def test_a_process_that_dies_after_sending_sends_again_under_the_same_id(town: Town) -> None:
    async def die(_order: Order) -> None:
        raise asyncio.CancelledError

    town.network.before_answer = die
    await town.give()
    with pytest.raises(asyncio.CancelledError):
        await town.commands.send_due()
    town.network.before_answer = None
    town.commands = town.restarted()
    await town.commands.send_due()
    first, second = town.network.taken
    assert first.command_id == second.command_id
    assert (await town.newest()).state is CommandState.SENT


@pytest.mark.parametrize("waiting", [1, 2])
async def test_an_acknowledgement_without_a_name_is_of_the_only_one_that_waits(town: Town, waiting: int) -> None:
    for number in range(waiting):
        await town.give(CommandWish(10, bytes([number]), is_confirmed=True))
    await town.commands.send_due()
    report = DeliveryReport("", EUI, Delivery.ACKNOWLEDGED, NOON)
    assert await town.commands.report("default", report) is (waiting == 1)
    assert ((await town.newest()).state is CommandState.ACKNOWLEDGED) is (waiting == 1)


async def test_a_report_of_another_device_tenant_or_command_changes_nothing(town: Town) -> None:
    given = await town.give(CONFIRMED)
    await town.commands.send_due()
    for tenant, report in (
        ("neighbour", DeliveryReport(given.id, EUI, Delivery.FAILED, NOON)),
        ("default", DeliveryReport(given.id, "0" * 16, Delivery.FAILED, NOON)),
        ("default", DeliveryReport("no id", EUI, Delivery.FAILED, NOON)),
    ):
        assert not await town.commands.report(tenant, report)
    assert (await town.newest()).state is CommandState.SENT


@pytest.mark.parametrize(
    "wish",
    [
        CommandWish(0, b"\1"),
        CommandWish(224, b"\1"),
        CommandWish(10, b""),
        CommandWish(10, bytes(243)),
        CommandWish(10, b"\1", expires_in=0),
        CommandWish(10, b"\1", expires_in=31 * DAY),
        CommandWish(10, b"\1", key="k" * 101),
        CommandWish(10, b"\1", data={"open": True}),
        CommandWish(data={"open": True}),
    ],
)
async def test_what_is_no_command_is_refused(town: Town, wish: CommandWish) -> None:
    with pytest.raises(BadRequestData):
        await town.give(wish)


async def test_only_who_may_command_does(town: Town) -> None:
    device = Caller("default", "key:device", Right.INGEST | Right.READ | Right.WRITE)
    with pytest.raises(Forbidden):
        await town.commands.give(device, EUI, OPEN_VALVE)
    with pytest.raises(Forbidden):
        await town.commands.list_commands(Caller("default", "key:device", Right.INGEST), EUI)
    with pytest.raises(ResourceNotFound):
        await town.commands.give(CALLER, "0" * 16, OPEN_VALVE)
    assert await town.commands.list_commands(CALLER, "0\0") == []


async def test_who_commands_a_part_alone_commands_what_serves_that(town: Town) -> None:
    device = town.village.fleet.registry.find(CALLER.tenant, EUI)
    assert device is not None
    mine, other = Area(frozenset(device.asset_types)), Area(frozenset(("https://example.org/Boat",)))
    for reach, is_taken in (((mine,), True), ((other,), False), ((), False), ((replace(mine, scopes=("/a",)),), False)):
        caller = replace(CALLER, commands=reach)
        try:
            await town.commands.give(caller, EUI, OPEN_VALVE)
        except Forbidden:
            assert not is_taken
        else:
            assert is_taken


async def test_commands_that_wait_for_one_device_are_bounded(town: Town) -> None:
    for number in range(50):
        await town.give(CommandWish(10, bytes([number])))
    with pytest.raises(TooManyCommands):
        await town.give()


async def test_it_runs_by_itself_and_what_is_long_over_is_forgotten(town: Town) -> None:
    old = await town.give()
    await town.commands.send_due()
    town.clock.advance(91 * DAY)
    running = asyncio.create_task(town.commands.run())
    try:
        given = await town.give(CommandWish(10, b"\2"))
        await eventually(lambda: len(town.network.taken) == 2)
        await asyncio.sleep(0.05)
        assert [one.id for one in await town.commands.list_commands(CALLER, EUI)] == [given.id]
        assert old.id != given.id
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_it_goes_on_when_the_store_can_be_read_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downlink_module, "_LOOK_EVERY_S", 0.01)
    asked: list[int] = []

    async def refuse(now: int, _limit: int) -> list[Command]:
        asked.append(now)
        raise Overloaded("the database does not answer")

    await town.give()
    with monkeypatch.context() as patch:
        patch.setattr(town.commands.log, "list_due", refuse)
        running = asyncio.create_task(town.commands.run())
        await eventually(lambda: len(asked) > 1)
    try:
        await eventually(lambda: len(town.network.taken) == 1)
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


def test_pauses_do_not_grow_for_ever() -> None:
    command = Command("i", "t", "d", "k", 1, b"\1", False, "c", NOON, NOON + DAY, NOON, NOON, attempts=60)
    assert postponed(command, "", NOON).due_at == NOON + 10 * MINUTE

"""What network servers tell beside frames, and what becomes of it."""

from typing import Any

import pytest

from parvis.broker.model.change import Change, Mode
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.model.delivery import Ack, Message
from parvis.fleet.model.events import (
    DeviceEvent,
    DeviceFault,
    DeviceJoined,
    DeviceLocated,
    DeviceStatus,
    GatewayStats,
)
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import Reception
from parvis.fleet.network.reactions import Reactions
from parvis.fleet.ways.intake import UplinkIntake
from parvis.kernel.errors import Forbidden, Overloaded
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import HOUR, SECOND
from tests.fakes.clock import SetClock
from tests.fleet.conftest import BIN, CALLER, DEVICE, EUI, NOON, RECORD, Village, uplink

DELIVERER = Caller("default", "key:network", Right.INGEST)
POINT = {"type": "Point", "coordinates": [-3.1, 48.2]}
MOBILE = """
[profile]
id = "tracker"
name = "Tracker"
entity_type = "Vehicle"
[[attribute]]
field = "position"
name = "location"
kind = "GeoProperty"
"""


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOON)


@pytest.fixture
async def reactions(village: Village, clock: SetClock) -> Reactions:
    await village.fleet.register(CALLER, [RECORD])
    return Reactions(village.broker, village.fleet.registry, clock=clock)


async def test_a_status_is_told_of_the_device(reactions: Reactions, village: Village) -> None:
    await reactions.take(DELIVERER, [DeviceStatus(EUI, NOON, 0.755, -3)])
    assert await village.value(DEVICE, "batteryLevel") == 0.755
    assert await village.value(DEVICE, "linkMargin") == -3
    assert await village.value(DEVICE, "externalPower") is None
    await reactions.take(DELIVERER, [DeviceStatus(EUI, NOON + 1, None, 4, has_external_power=True)])
    assert await village.value(DEVICE, "batteryLevel") == 0.755
    assert await village.value(DEVICE, "externalPower") is True


async def test_a_status_that_comes_with_every_frame_is_stored_once(reactions: Reactions, village: Village) -> None:
    for _ in range(3):
        await reactions.take(DELIVERER, [DeviceStatus(EUI, NOON - HOUR, 0.8)])
    assert await village.values(DEVICE, "batteryLevel") == [0.8]


async def test_what_met_an_overload_is_not_taken_for_known(
    reactions: Reactions, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise Overloaded("full")

    status = DeviceStatus(EUI, NOON, 0.8)
    with monkeypatch.context() as patch:
        patch.setattr(village.broker, "write", refuse)
        with pytest.raises(Overloaded):
            await reactions.take(DELIVERER, [status])
    await reactions.take(DELIVERER, [status])
    assert await village.value(DEVICE, "batteryLevel") == 0.8


async def test_after_a_join_frames_are_counted_from_0_again(reactions: Reactions, village: Village) -> None:
    assert await village.fleet.take(DELIVERER, [uplink(1, 50)]) == [None]
    (again,) = await village.fleet.take(DELIVERER, [uplink(1, 60, at=NOON + 601 * SECOND)])
    assert again is not None, "the same counter within the same session is the same frame"
    await reactions.take(DELIVERER, [DeviceJoined(EUI, NOON + 700 * SECOND, "00189440")])
    assert await village.fleet.take(DELIVERER, [uplink(1, 60, at=NOON + 602 * SECOND)]) == [None]
    assert (await village.value(DEVICE, "dateLastJoined"))["@type"] == "DateTime"


async def test_a_fault_is_told_of_the_device(reactions: Reactions, village: Village) -> None:
    await reactions.take(DELIVERER, [DeviceFault(EUI, NOON, "UPLINK_MIC", "Invalid MIC")])
    assert await village.value(DEVICE, "networkFault") == "UPLINK_MIC: Invalid MIC"


LOCATED = DeviceLocated(EUI, NOON, -3.1, 48.2, 120.0)


async def test_a_place_given_by_hand_stays(reactions: Reactions, village: Village) -> None:
    await reactions.take(DELIVERER, [LOCATED])
    assert await village.value(DEVICE, "location") == RECORD.location
    assert await village.value(BIN, "location") == RECORD.location


async def test_a_device_without_a_place_gets_the_one_the_network_finds(reactions: Reactions, village: Village) -> None:
    delete = Change(DEVICE, Mode.DELETE_ATTRIBUTE, removals=((village.broker.contexts.parvis.expand("location"), ""),))
    await village.broker.write(CALLER, [delete])
    await reactions.take(DELIVERER, [LOCATED])
    assert await village.value(DEVICE, "location") == POINT
    assert await village.value(DEVICE, "locationAccuracy") == 120
    assert await village.value(BIN, "location") == RECORD.location, "a bin does not walk"


async def test_a_thing_that_moves_moves_with_its_device(village: Village, clock: SetClock) -> None:
    folder = village.data_dir / "profiles/tracker"
    folder.mkdir(parents=True)
    (folder / "profile.toml").write_text(MOBILE)
    (folder / "codec.js").write_text("function decodeUplink(input) { return {data: {}}; }")
    fleet = village.reopened()
    lorry = "urn:ngsi-ld:Vehicle:lorry"
    await fleet.register(CALLER, [DeviceRecord(EUI, "tracker", lorry)])
    await Reactions(village.broker, fleet.registry, clock=clock).take(DELIVERER, [LOCATED])
    assert await village.value(lorry, "location") == POINT


EVENTS: list[DeviceEvent] = [
    DeviceStatus("0" * 16, NOON, 1.0),
    DeviceJoined("0" * 16, NOON),
    DeviceFault("0" * 16, 1, "X"),
]


@pytest.mark.parametrize("event", EVENTS)
async def test_nothing_is_made_of_a_device_that_nobody_knows(
    reactions: Reactions, village: Village, event: DeviceEvent
) -> None:
    before = await village.broker.count_types(CALLER)
    await reactions.take(DELIVERER, [event])
    assert await village.broker.count_types(CALLER) == before


@pytest.mark.parametrize(
    "caller", [Caller("default", "key:screen", Right.READ), Caller("default", "key:own", Right.INGEST, EUI)]
)
async def test_who_is_no_network_server_tells_nothing(reactions: Reactions, village: Village, caller: Caller) -> None:
    with pytest.raises(Forbidden):
        await reactions.take(caller, [GatewayStats("a-gateway", NOON)])
    if caller.device:
        await reactions.hear(caller, [uplink(1, 50, way="chirpstack", route="mine", receptions=(Reception("church"),))])
        assert await village.value(DEVICE, "downlinkRoute") is None


async def test_a_clock_that_is_ahead_hides_nothing(reactions: Reactions, village: Village, clock: SetClock) -> None:
    await reactions.take(DELIVERER, [DeviceStatus(EUI, NOON + HOUR, 0.5)])
    clock.advance(60 * SECOND)
    await reactions.take(DELIVERER, [DeviceStatus(EUI, clock(), 0.4)])
    assert await village.value(DEVICE, "batteryLevel") == 0.4


async def test_the_way_by_which_a_device_is_heard_is_written_when_it_changes(
    reactions: Reactions, village: Village
) -> None:
    for route in ("one", "one", "two"):
        await reactions.hear(DELIVERER, [uplink(1, 50, way="chirpstack", route=route)])
    assert await village.values(DEVICE, "downlinkRoute") == ["chirpstack:one", "chirpstack:two"]
    again = village.reopened()
    await again.registry.load("default")
    device = again.registry.find("default", EUI)
    assert device is not None
    assert device.route == "chirpstack:two"
    await Reactions(village.broker, again.registry).hear(DELIVERER, [uplink(1, 50, way="chirpstack", route="two")])
    assert len(await village.values(DEVICE, "downlinkRoute")) == 2


class Script:
    """Reads messages as its list says."""

    def __init__(self, told: list[list[Any]]) -> None:
        self.told = told

    def __call__(self, message: Message) -> list[Any]:
        return self.told[int(message.payload)]


def messages(number: int) -> list[Message]:
    return [Message(DELIVERER, "t", str(index).encode(), NOON) for index in range(number)]


async def test_frames_and_events_of_one_turn_are_all_taken(reactions: Reactions, village: Village) -> None:
    frame = uplink(1, 50, receptions=(Reception("church", -70, 5),))
    read = Script([[frame, DeviceStatus(EUI, NOON, 0.8)], [DeviceFault(EUI, NOON, "OTAA")], []])
    acks = await UplinkIntake(village.fleet, read, reactions).handle(messages(3))
    assert acks == [Ack.STORED] * 3
    assert await village.value(BIN, "fillingLevel") == 0.5
    assert await village.value(DEVICE, "networkFault") == "OTAA"
    assert await village.value("urn:ngsi-ld:Gateway:church", "rssi") == -70


async def test_events_from_who_is_no_network_server_are_refused(village: Village, reactions: Reactions) -> None:
    own = Caller("default", "key:own", Right.INGEST, EUI)
    read = Script([[uplink(1, 50)], [DeviceFault(EUI, NOON, "OTAA")]])
    taken = [Message(own, "t", str(index).encode(), NOON) for index in range(2)]
    assert await UplinkIntake(village.fleet, read, reactions).handle(taken) == [Ack.STORED, Ack.REFUSED]


@pytest.mark.parametrize("at", [-1, 253_402_300_800 * SECOND])
async def test_what_no_calendar_can_date_is_refused_by_itself(village: Village, reactions: Reactions, at: int) -> None:
    told: list[list[Any]] = [
        [uplink(1, 50, at=at)],
        [DeviceFault(EUI, at, "OTAA")],
        [uplink(2, 60, measured_at=at)],
        [uplink(3, 70)],
    ]
    acks = await UplinkIntake(village.fleet, Script(told), reactions).handle(messages(4))
    assert acks == [Ack.REFUSED, Ack.REFUSED, Ack.REFUSED, Ack.STORED]
    reasons = {one.reason for one in await village.fleet.list_refusals(CALLER)}
    assert reasons == {RefusalReason.MALFORMED_MESSAGE}


async def test_a_fault_of_ours_with_an_event_spoils_no_frame(
    reactions: Reactions, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(reactions, "take", fail)
    monkeypatch.setattr(reactions, "hear", fail)
    read = Script([[uplink(1, 50)], [DeviceFault(EUI, NOON, "OTAA")]])
    assert await UplinkIntake(village.fleet, read, reactions).handle(messages(2)) == [Ack.STORED, Ack.FAILED]


async def test_events_that_meet_an_overload_are_asked_for_again(
    reactions: Reactions, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise Overloaded("full")

    monkeypatch.setattr(reactions, "take", refuse)
    read = Script([[uplink(1, 50)], [DeviceFault(EUI, NOON, "OTAA")]])
    assert await UplinkIntake(village.fleet, read, reactions).handle(messages(2)) == [Ack.STORED, Ack.OVERLOADED]

"""Stations of the library's own OCPP 1.6 client, by way of a socket, to state and history."""

import asyncio
from typing import Any

import pytest
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.connectors.ocpp.config import OcppConfig, Station
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order
from parvis.fleet.devices.registry import DeviceRecord
from tests.connectors.ocpp.conftest import PASSWORD, STATION, Central, open_central
from tests.connectors.town import CALLER, Town

V16 = "ocpp1.6"
SITE = f"urn:ngsi-ld:EVChargingStation:{STATION}"
PLUG = f"urn:ngsi-ld:ChargingConnector:{STATION}:1"
START = call.StartTransaction(1, "CARD-1", 1000, "2026-09-21T12:00:00Z")


def session(number: int) -> str:
    return f"urn:ngsi-ld:ChargingSession:{STATION}:{number}"


def energy(timestamp: str, watt_hours: str, **more: str) -> dict[str, Any]:
    return {"timestamp": timestamp, "sampled_value": [{"value": watt_hours, **more}]}


async def test_a_station_starts_and_is_known(central: Central) -> None:
    async with central.station(ChargePoint, V16) as station:
        answer = await station.call(
            call.BootNotification("Model 7", "Maker", firmware_version="1.2", charge_point_serial_number="S-7")
        )
        assert (answer.status, answer.interval) == ("Accepted", 60)
        assert answer.current_time == "2026-09-21T14:13:20Z"
        assert (await station.call(call.Heartbeat())).current_time == "2026-09-21T14:13:20Z"
        assert await central.town.value(SITE, "modelName") == "Model 7"
        assert await central.town.value(SITE, "manufacturerName") == "Maker"
        assert await central.town.value(SITE, "firmwareVersion") == "1.2"
        assert await central.town.value(SITE, "isConnected") is True


async def test_the_status_of_connectors_tells_how_many_are_free(central: Central) -> None:
    async with central.station(ChargePoint, V16) as station:
        for connector, status in ((0, "Available"), (1, "Available"), (2, "Charging")):
            await station.call(call.StatusNotification(connector, "NoError", status, "2026-09-21T12:00:00Z"))
        assert await central.town.value(SITE, "status") == "Available"
        assert await central.town.value(PLUG, "status") == "Available"
        assert await central.town.value(PLUG, "chargingStation") == SITE
        assert await central.town.value(SITE, "socketNumber") == 2
        assert await central.town.value(SITE, "availableCapacity") == 1


async def test_of_a_station_that_is_away_no_connector_is_free_and_once_it_is_back_as_many_as_before(
    central: Central,
) -> None:
    async def is_free(number: int) -> None:
        async with asyncio.timeout(5):
            while await central.town.value(SITE, "availableCapacity") != number:  # noqa: ASYNC110 (nobody is told)
                await asyncio.sleep(0.01)

    async with central.station(ChargePoint, V16) as station:
        await station.call(call.StatusNotification(1, "NoError", "Available", "2026-09-21T12:00:00Z"))
        await is_free(1)
    await is_free(0)
    assert await central.town.value(PLUG, "isStale") is True, "nobody knows: silent on every page"
    assert await central.town.value(SITE, "isStale") is True
    async with central.station(ChargePoint, V16):
        await is_free(1)
        assert await central.town.value(PLUG, "isStale") is False
        assert await central.town.value(SITE, "isStale") is False


async def test_who_was_connected_when_the_process_was_killed_is_away_until_it_is_back(town: Town) -> None:
    async with open_central(town) as central, central.station(ChargePoint, V16) as station:
        await station.call(call.StatusNotification(1, "NoError", "Available", "2026-09-21T12:00:00Z"))
    expand = town.broker.contexts.parvis.expand
    for entity in (SITE, PLUG):
        told = [("isConnected", True)] if entity == SITE else []
        left = [Instance(expand(term), Kind.PROPERTY, value) for term, value in [*told, ("isStale", False)]]
        await town.broker.write(CALLER, [Change(entity, Mode.APPEND, tuple(left))])
    other = Change(SITE + "-2", Mode.CREATE, (), (expand("EVChargingStation"),))
    await town.broker.write(CALLER, [other])

    async with open_central(town):
        assert await town.value(SITE, "isConnected") is False
        assert await town.value(SITE, "availableCapacity") == 0
        assert [await town.value(one, "isStale") for one in (SITE, PLUG, other.entity_id)] == [True, True, None]


async def test_a_late_status_does_not_hide_a_newer_one(central: Central) -> None:
    async with central.station(ChargePoint, V16) as station:
        await station.call(call.StatusNotification(1, "NoError", "Charging", "2026-09-21T12:10:00Z"))
        await station.call(call.StatusNotification(1, "NoError", "Preparing", "2026-09-21T12:00:00Z"))
    assert await central.town.value(PLUG, "status") == "Charging"
    assert await central.town.history(PLUG, "status") == ["Preparing", "Charging"]


async def test_a_session_from_start_to_stop(central: Central) -> None:
    async with central.station(ChargePoint, V16) as station:
        started = await station.call(START)
        number = started.transaction_id
        assert started.id_tag_info["status"] == "Accepted"
        values = [
            energy("2026-09-21T12:10:00Z", "2500"),
            energy("2026-09-21T12:20:00Z", "4.5", unit="kWh"),
        ]
        values[1]["sampled_value"] += [
            {"value": "7.2", "measurand": "Power.Active.Import", "unit": "kW"},
            {"value": "10.1", "measurand": "Current.Import", "phase": "L1", "unit": "A"},
            {"value": "10.3", "measurand": "Current.Import", "phase": "L2", "unit": "A"},
            {"value": "nonsense", "measurand": "Voltage", "unit": "V"},
        ]
        await station.call(call.MeterValues(1, values, number))
        assert await central.town.value(session(number), "energyDelivered") == 3.5
        assert await central.town.value(session(number), "chargingState") == "Charging"
        stopped = await station.call(call.StopTransaction(6000, "2026-09-21T12:30:00Z", number, "EVDisconnected"))
        assert stopped.id_tag_info is None
    town = central.town
    assert await town.history(PLUG, "totalActiveEnergyImport") == [2.5, 4.5]
    assert await town.value(PLUG, "activePower") == 7.2
    assert await town.value(PLUG, "current") == {"L1": 10.1, "L2": 10.3}
    assert await town.value(PLUG, "voltage") is None
    assert await town.value(session(number), "energyDelivered") == 5
    assert await town.value(session(number), "stopReason") == "EVDisconnected"
    assert await town.value(session(number), "chargingState") == "Ended"
    assert await town.value(session(number), "endDate") == {"@type": "DateTime", "@value": "2026-09-21T12:30:00Z"}
    assert await town.value(session(number), "idTag") is None


async def test_what_is_sent_again_is_not_doubled(central: Central) -> None:
    measured = [energy("2026-09-21T12:10:00Z", "2500")]
    numbers = []
    for _ in range(3):
        async with central.station(ChargePoint, V16) as station:
            number = (await station.call(START)).transaction_id
            await station.call(call.MeterValues(1, measured, number))
            await station.call(call.StopTransaction(6000, "2026-09-21T12:30:00Z", number))
            numbers.append(number)
    assert len(set(numbers)) == 1
    assert await central.town.history(PLUG, "totalActiveEnergyImport") == [2.5]
    assert len(await central.town.history(session(numbers[0]), "startDate")) == 1
    assert len(await central.town.history(session(numbers[0]), "endDate")) == 1


async def test_sessions_that_begin_differently_are_different(central: Central) -> None:
    async with central.station(ChargePoint, V16) as station:
        numbers = [
            (await station.call(call.StartTransaction(connector, "CARD-1", meter, at))).transaction_id
            for connector, meter, at in (
                (1, 1000, "2026-09-21T12:00:00Z"),
                (2, 1000, "2026-09-21T12:00:00Z"),
                (1, 1001, "2026-09-21T12:00:00Z"),
                (1, 1000, "2026-09-21T12:00:01Z"),
            )
        ]
    assert len(set(numbers)) == 4


async def test_a_session_of_which_the_start_is_not_known_still_ends(central: Central) -> None:
    async with central.station(ChargePoint, V16) as station:
        await station.call(call.StopTransaction(6000, "2026-09-21T12:30:00Z", 4711))
    assert await central.town.value(session(4711), "meterStop") == 6
    assert await central.town.value(session(4711), "energyDelivered") is None


async def test_a_time_that_is_none_or_ahead_is_now(central: Central) -> None:
    async with central.station(ChargePoint, V16) as station:
        for wrong in ("2096-09-21T12:00:00Z", "yesterday", "0001-01-01T00:00:00+14:00"):
            start = call.StartTransaction(1, "CARD-1", 7, wrong)
            number = (await station.call(start, skip_schema_validation=True)).transaction_id
            assert (await central.town.value(session(number), "startDate"))["@value"] == "2026-09-21T14:13:20Z"


async def test_cards_may_be_limited_and_kept(town: Town) -> None:
    config = OcppConfig(
        port=0, station=(Station(STATION, PASSWORD),), id_tags=frozenset({"CARD-1"}), keeps_id_tags=True
    )
    async with open_central(town, config) as central, central.station(ChargePoint, V16) as station:
        assert (await station.call(call.Authorize("CARD-1"))).id_tag_info["status"] == "Accepted"
        assert (await station.call(call.Authorize("CARD-2"))).id_tag_info["status"] == "Invalid"
        started = await station.call(START)
    assert await town.value(session(started.transaction_id), "idTag") == "CARD-1"


async def test_firmware_diagnostics_and_vendor_messages_are_answered(central: Central) -> None:
    async with central.station(ChargePoint, V16) as station:
        await station.call(call.FirmwareStatusNotification("Installed"))
        await station.call(call.DiagnosticsStatusNotification("Uploaded"))
        assert (await station.call(call.DataTransfer("vendor"))).status == "UnknownVendorId"
    assert await central.town.value(SITE, "firmwareStatus") == "Installed"
    assert await central.town.value(SITE, "diagnosticsStatus") == "Uploaded"
    async with asyncio.timeout(5):
        while await central.town.value(SITE, "isConnected"):  # noqa: ASYNC110 (the central system tells nobody)
            await asyncio.sleep(0.01)


async def test_a_registered_station_is_alive_for_the_fleet(town: Town) -> None:
    asset = "urn:ngsi-ld:EVChargingStation:market-place"
    await town.fleet.register(CALLER, [DeviceRecord(STATION, "ocpp-charging-station", asset)])
    async with open_central(town) as central, central.station(ChargePoint, V16) as station:
        await station.call(call.BootNotification("Model 7", "Maker"))
    assert await town.value(asset, "modelName") == "Model 7"
    device = f"urn:ngsi-ld:Device:{STATION.lower()}"
    assert await town.value(device, "dateLastValueReported") is not None
    assert await town.value(SITE, "modelName") is None


class Obedient(ChargePoint):  # type: ignore[misc]
    """Does what it is asked, and remembers it."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def note(self, name: str, **what: Any) -> None:
        self.asked.append((name, what))

    @on("RemoteStartTransaction")  # type: ignore[untyped-decorator]
    def on_remote_start(self, **what: Any) -> Any:
        self.note("start", **what)
        return call_result.RemoteStartTransaction("Accepted")

    @on("RemoteStopTransaction")  # type: ignore[untyped-decorator]
    def on_remote_stop(self, **what: Any) -> Any:
        self.note("stop", **what)
        return call_result.RemoteStopTransaction("Rejected")

    @on("ChangeAvailability")  # type: ignore[untyped-decorator]
    def on_availability(self, **what: Any) -> Any:
        self.note("availability", **what)
        return call_result.ChangeAvailability("Scheduled")

    @on("SetChargingProfile")  # type: ignore[untyped-decorator]
    def on_profile(self, **what: Any) -> Any:
        self.note("profile", **what)
        return call_result.SetChargingProfile("Accepted")

    @on("Reset")  # type: ignore[untyped-decorator]
    def on_reset(self, **what: Any) -> Any:
        self.note("reset", **what)
        return call_result.Reset("Accepted")

    @on("UnlockConnector")  # type: ignore[untyped-decorator]
    def on_unlock(self, **what: Any) -> Any:
        self.note("unlock", **what)
        return call_result.UnlockConnector("Unlocked")


def order(payload: str, station: str = STATION) -> Order:
    return Order("c-1", "default", station.lower(), station, 1, payload.encode(), True, 60)


async def test_a_station_does_what_it_is_asked(central: Central) -> None:
    async with central.station(Obedient, V16) as station:
        await station.call(call.Heartbeat())
        for payload in (
            '{"command": "remoteStart", "idTag": "CARD-1", "connector": 1}',
            '{"command": "availability", "isOperative": false}',
            '{"command": "limit", "connector": 1, "amperes": 9.96}',
            '{"command": "reset", "isHard": true}',
            '{"command": "unlock", "connector": 1}',
        ):
            await central.system.send(order(payload))
        with pytest.raises(NotSendable, match="Rejected"):
            await central.system.send(order('{"command": "remoteStop", "transaction": "17"}'))
    asked = dict(station.asked)
    assert asked["start"] == {"id_tag": "CARD-1", "connector_id": 1}
    assert asked["stop"] == {"transaction_id": 17}
    assert asked["availability"] == {"connector_id": 0, "type": "Inoperative"}
    periods = asked["profile"]["cs_charging_profiles"]["charging_schedule"]["charging_schedule_period"]
    assert periods == [{"start_period": 0, "limit": 10.0}]
    assert asked["reset"] == {"type": "Hard"}
    assert asked["unlock"] == {"connector_id": 1}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("{}", "command"),
        ("not json", "no command"),
        ('{"command": "explode"}', "explode"),
        ('{"command": "limit", "connector": 1}', "watts or in amperes"),
        ('{"command": "remoteStop", "transaction": "a-uuid-of-2.0.1"}', "cannot say it"),
        ('{"command": "unlock", "connector": 1}', "NotImplemented"),
    ],
)
async def test_what_cannot_be_asked_fails_for_good(central: Central, payload: str, reason: str) -> None:
    async with central.station(ChargePoint, V16) as station:
        await station.call(call.Heartbeat())
        with pytest.raises(NotSendable, match=reason):
            await central.system.send(order(payload))


async def test_a_station_that_is_away_is_asked_later(central: Central) -> None:
    with pytest.raises(NotSentNow, match="not connected"):
        await central.system.send(order('{"command": "reset"}', "CP-2"))


async def test_only_listed_stations_with_their_password_come_in(central: Central) -> None:
    for name, password, status in (
        (STATION, "wrong", 401),
        (STATION, None, 401),
        (STATION, "common", 401),
        ("CP-9", "common", 404),
        ("..%2f", "common", 404),
    ):
        with pytest.raises(Exception, match=f"HTTP {status}"):
            async with central.wire(V16, name, password):
                pass
    async with central.wire(V16, "CP-2", "common"):
        pass


async def test_unlisted_stations_come_in_where_the_settings_say_so(town: Town) -> None:
    config = OcppConfig(port=0, password="common", accepts_unlisted=True, most_connections=1)
    async with open_central(town, config) as central:
        with pytest.raises(Exception, match="HTTP 401"):
            async with central.wire(V16, "CP-9", "wrong"):
                pass
        async with central.station(ChargePoint, V16, "CP-9", password="common") as station:
            await station.call(call.Heartbeat())
            with pytest.raises(Exception, match="HTTP 503"):
                async with central.wire(V16, "CP-8", "common"):
                    pass


async def test_settings_name_each_station_once() -> None:
    with pytest.raises(ValueError, match="same id"):
        OcppConfig(station=(Station("CP-1"), Station("cp-1")))
    with pytest.raises(ValueError, match="common password"):
        OcppConfig(accepts_unlisted=True)
    with pytest.raises(ValueError, match="certificate and key"):
        OcppConfig(key="station.key")

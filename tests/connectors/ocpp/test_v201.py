"""Stations of the library's own OCPP 2.0.1 client, by way of a socket, to state and history."""

from typing import Any

import pytest
from ocpp.routing import on
from ocpp.v201 import ChargePoint, call, call_result

from parvis.fleet.commands.downlink import NotSendable, Order
from tests.connectors.ocpp.conftest import STATION, Central

V201 = "ocpp2.0.1"
SITE = f"urn:ngsi-ld:EVChargingStation:{STATION}"
PLUG = f"urn:ngsi-ld:ChargingConnector:{STATION}:1"
SESSION = f"urn:ngsi-ld:ChargingSession:{STATION}:tx-1"
CARD = {"id_token": "CARD-1", "type": "ISO14443"}


def event(kind: str, minute: int, seq_no: int, watt_hours: float | None = None, **more: Any) -> Any:
    timestamp = f"2026-09-21T12:{minute:02d}:00Z"
    values = None
    if watt_hours is not None:
        sampled = {"value": watt_hours / 1000, "unit_of_measure": {"unit": "Wh", "multiplier": 3}}
        values = [{"timestamp": timestamp, "sampled_value": [sampled]}]
    info = {"transaction_id": "tx-1", "charging_state": "Charging", **more.pop("info", {})}
    return call.TransactionEvent(
        kind,
        timestamp,
        "MeterValuePeriodic",
        seq_no,
        info,
        meter_value=values,
        evse={"id": 1, "connector_id": 1},
        **more,
    )


STARTED = event("Started", 0, 0, 1000, id_token=CARD)
UPDATED = event("Updated", 10, 1, 3500)
ENDED = event("Ended", 30, 2, 6000, info={"stopped_reason": "EVDisconnected", "charging_state": "Idle"})


async def test_a_station_starts_and_is_known(central: Central) -> None:
    async with central.station(ChargePoint, V201) as station:
        facts = {"model": "Model 8", "vendor_name": "Maker", "firmware_version": "2.0", "serial_number": "S-8"}
        answer = await station.call(call.BootNotification(facts, "PowerUp"))
        assert (answer.status, answer.interval) == ("Accepted", 60)
        await station.call(call.Heartbeat())
        await station.call(call.StatusNotification("2026-09-21T12:00:00Z", "Available", 1, 1))
        await station.call(call.StatusNotification("2026-09-21T12:00:00Z", "Occupied", 1, 2))
    assert await central.town.value(SITE, "modelName") == "Model 8"
    assert await central.town.value(PLUG, "status") == "Available"
    assert await central.town.value(f"{PLUG}-2", "status") == "Occupied"


async def test_a_session_from_start_to_end(central: Central) -> None:
    async with central.station(ChargePoint, V201) as station:
        started = await station.call(STARTED)
        assert started.id_token_info["status"] == "Accepted"
        assert (await station.call(UPDATED)).id_token_info is None
        assert await central.town.value(SESSION, "energyDelivered") == 2.5
        await station.call(ENDED)
    town = central.town
    assert await town.value(SESSION, "energyDelivered") == 5
    assert await town.value(SESSION, "stopReason") == "EVDisconnected"
    assert await town.value(SESSION, "chargingConnector") == PLUG
    assert await town.history(PLUG, "totalActiveEnergyImport") == [1, 3.5, 6]


@pytest.mark.parametrize(
    "events",
    [
        [STARTED, UPDATED, ENDED, STARTED, UPDATED, ENDED],
        [ENDED, UPDATED, STARTED],
        [UPDATED, STARTED, STARTED, ENDED, ENDED],
    ],
    ids=["twice", "backwards", "mixed"],
)
async def test_events_that_come_again_or_in_any_order_tell_the_same(central: Central, events: list[Any]) -> None:
    async with central.station(ChargePoint, V201) as station:
        for one in events:
            await station.call(one)
    town = central.town
    assert await town.history(PLUG, "totalActiveEnergyImport") == [1, 3.5, 6]
    assert await town.value(PLUG, "totalActiveEnergyImport") == 6
    assert await town.value(SESSION, "meterStart") == 1
    assert await town.value(SESSION, "meterStop") == 6
    assert await town.value(SESSION, "chargingState") == "Ended"
    assert len(await town.history(SESSION, "startDate")) == 1
    assert len(await town.history(SESSION, "endDate")) == 1
    assert await town.value(SESSION, "energyDelivered") == 5


async def test_any_number_of_a_transaction_makes_an_entity(central: Central) -> None:
    async with central.station(ChargePoint, V201) as station:
        await station.call(event("Started", 0, 0, 1000, info={"transaction_id": "a b/é:1"}))
    assert await central.town.value(f"urn:ngsi-ld:ChargingSession:{STATION}:a%20b%2F%C3%A9%3A1", "meterStart") == 1


async def test_values_outside_sessions_and_states_of_the_station_are_kept(central: Central) -> None:
    async with central.station(ChargePoint, V201) as station:
        sampled = [{"value": 230.4, "measurand": "Voltage", "phase": "L1-N"}]
        await station.call(call.MeterValues(1, [{"timestamp": "2026-09-21T12:00:00Z", "sampled_value": sampled}]))
        await station.call(call.FirmwareStatusNotification("Installed"))
        await station.call(call.LogStatusNotification("Uploaded"))
        await station.call(call.SecurityEventNotification("TamperDetectionActivated", "2026-09-21T12:00:00Z"))
        assert (await station.call(call.Authorize(CARD))).id_token_info["status"] == "Accepted"
        assert (await station.call(call.DataTransfer("vendor"))).status == "UnknownVendorId"
    assert await central.town.value(PLUG, "voltage") == {"L1": 230.4}
    assert await central.town.value(SITE, "firmwareStatus") == "Installed"
    assert await central.town.value(SITE, "diagnosticsStatus") == "Uploaded"
    assert await central.town.value(SITE, "errorCode") == "TamperDetectionActivated"


class Obedient(ChargePoint):  # type: ignore[misc]
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.asked: dict[str, dict[str, Any]] = {}

    @on("RequestStartTransaction")  # type: ignore[untyped-decorator]
    def on_start(self, **what: Any) -> Any:
        self.asked["start"] = what
        return call_result.RequestStartTransaction("Accepted")

    @on("RequestStopTransaction")  # type: ignore[untyped-decorator]
    def on_stop(self, **what: Any) -> Any:
        self.asked["stop"] = what
        return call_result.RequestStopTransaction("Accepted")

    @on("ChangeAvailability")  # type: ignore[untyped-decorator]
    def on_availability(self, **what: Any) -> Any:
        self.asked["availability"] = what
        return call_result.ChangeAvailability("Scheduled")

    @on("SetChargingProfile")  # type: ignore[untyped-decorator]
    def on_profile(self, **what: Any) -> Any:
        self.asked["profile"] = what
        return call_result.SetChargingProfile("Accepted")

    @on("Reset")  # type: ignore[untyped-decorator]
    def on_reset(self, **what: Any) -> Any:
        self.asked["reset"] = what
        return call_result.Reset("Rejected")

    @on("UnlockConnector")  # type: ignore[untyped-decorator]
    def on_unlock(self, **what: Any) -> Any:
        self.asked["unlock"] = what
        return call_result.UnlockConnector("Unlocked")


async def test_a_station_does_what_it_is_asked(central: Central) -> None:
    async with central.station(Obedient, V201) as station:
        await station.call(call.Heartbeat())
        for payload in (
            '{"command": "remoteStart", "idTag": "CARD-1", "connector": 1}',
            '{"command": "remoteStop", "transaction": "tx-1"}',
            '{"command": "availability", "isOperative": true, "connector": 1}',
            '{"command": "limit", "watts": 11000}',
            '{"command": "unlock", "connector": 1}',
        ):
            await central.system.send(Order("c", "default", STATION.lower(), STATION, 1, payload.encode(), True, 60))
        with pytest.raises(NotSendable, match="Rejected"):
            await central.system.send(
                Order("c", "default", STATION.lower(), STATION, 1, b'{"command": "reset"}', True, 60)
            )
    asked = station.asked
    assert asked["start"]["id_token"] == {"id_token": "CARD-1", "type": "Central"}
    assert asked["stop"] == {"transaction_id": "tx-1"}
    assert asked["availability"] == {"operational_status": "Operative", "evse": {"id": 1}}
    assert asked["profile"]["charging_profile"]["charging_profile_purpose"] == "ChargingStationMaxProfile"
    assert asked["reset"] == {"type": "OnIdle"}
    assert asked["unlock"] == {"evse_id": 1, "connector_id": 1}

"""OCPP 2.0.1: what a charging station tells, and what it is asked (OCPP 2.0.1 edition 3, part 2)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, assert_never
from uuid import uuid4

from ocpp.v201 import ChargePoint, call, call_result

from parvis.connectors.ocpp.commands import (
    LIMIT_PROFILE,
    Availability,
    Limit,
    RemoteStart,
    RemoteStop,
    Reset,
    StationCommand,
    Unlock,
)
from parvis.connectors.ocpp.desk import handles
from parvis.connectors.ocpp.mapping import ENERGY, Sample, read_time
from parvis.connectors.ocpp.records import Began
from parvis.connectors.ocpp.talker import Talker

PROTOCOL = "ocpp2.0.1"
_NO_ERROR = "NoError"


class ChargingStation201(Talker, ChargePoint):  # type: ignore[misc]
    answers = call_result

    @handles("BootNotification")
    async def on_boot(self, charging_station: Mapping[str, Any], **_more: Any) -> Any:
        return await self.welcome(
            *(charging_station.get(one) for one in ("vendor_name", "model", "firmware_version", "serial_number"))
        )

    @handles("StatusNotification")
    async def on_status(
        self, timestamp: str, connector_status: str, evse_id: int, connector_id: int, **_more: Any
    ) -> Any:
        desk = self.desk
        at = read_time(timestamp, desk.now())
        connector = _connector(evse_id, connector_id)
        tell = partial(desk.records.tell_status, desk.station, connector, connector_status, _NO_ERROR, at)
        await desk.durably(tell)
        return call_result.StatusNotification()

    @handles("Authorize")
    async def on_authorize(self, id_token: Mapping[str, Any], **_more: Any) -> Any:
        return call_result.Authorize(self._token_info(id_token))

    @handles("TransactionEvent")
    async def on_transaction(
        self,
        event_type: str,
        timestamp: str,
        transaction_info: Mapping[str, Any],
        meter_value: Sequence[Mapping[str, Any]] | None = None,
        evse: Mapping[str, Any] | None = None,
        id_token: Mapping[str, Any] | None = None,
        **_more: Any,
    ) -> Any:
        """An event may come late and after those that followed it: each says all that its own moment needs."""
        desk = self.desk
        at = read_time(timestamp, desk.now())
        transaction = str(transaction_info["transaction_id"])
        samples = desk.read(meter_value)
        connector = None if evse is None else _connector(evse.get("id", 0), evse.get("connector_id") or 1)
        if event_type == "Started":
            began = Began(connector or "0", at, _energy(samples, 0), str((id_token or {}).get("id_token", "")))
            await desk.durably(partial(desk.records.begin, desk.station, began, transaction))
        if samples and connector is not None:
            state = str(transaction_info.get("charging_state") or "Charging")
            measure = partial(desk.records.measure, desk.station, connector, transaction, samples, state)
            await desk.durably(measure)
        if event_type == "Ended":
            reason = str(transaction_info.get("stopped_reason") or "")
            end = partial(desk.records.end, desk.station, transaction, at, _energy(samples, -1), reason)
            await desk.durably(end)
        return call_result.TransactionEvent(id_token_info=None if id_token is None else self._token_info(id_token))

    @handles("MeterValues")
    async def on_meter_values(self, evse_id: int, meter_value: Sequence[Mapping[str, Any]], **_more: Any) -> Any:
        desk = self.desk
        samples = desk.read(meter_value)
        measure = partial(desk.records.measure, desk.station, _connector(evse_id, 1), None, samples)
        await desk.durably(measure)
        return call_result.MeterValues()

    @handles("LogStatusNotification")
    async def on_log(self, status: str, **_more: Any) -> Any:
        await self.note("diagnosticsStatus", status)
        return call_result.LogStatusNotification()

    @handles("SecurityEventNotification")
    async def on_security_event(self, type: str, **_more: Any) -> Any:  # noqa: A002 (the message's own name)
        await self.note("errorCode", type)
        return call_result.SecurityEventNotification()

    def to_call(self, command: StationCommand) -> Any:
        match command:
            case RemoteStart():
                token = {"id_token": command.id_tag, "type": "Central"}
                return call.RequestStartTransaction(token, uuid4().int & 0x7FFFFFFF, command.connector)
            case RemoteStop():
                return call.RequestStopTransaction(command.transaction)
            case Availability():
                evse = {"id": command.connector} if command.connector else None
                return call.ChangeAvailability("Operative" if command.is_operative else "Inoperative", evse)
            case Limit():
                return call.SetChargingProfile(command.connector, _profile(command))
            case Reset():
                return call.Reset("Immediate" if command.is_hard else "OnIdle")
            case Unlock():
                return call.UnlockConnector(command.connector, 1)
            case _:
                assert_never(command)

    def _token_info(self, id_token: Mapping[str, Any]) -> dict[str, str]:
        """A start without any card is for the station to allow (its own button, plug and charge)."""
        is_card = id_token.get("type") != "NoAuthorization"
        may_charge = not is_card or self.desk.may_charge(str(id_token.get("id_token", "")))
        return {"status": "Accepted" if may_charge else "Invalid"}


def _profile(limit: Limit) -> dict[str, Any]:
    return {
        "id": LIMIT_PROFILE,
        "stack_level": 0,
        "charging_profile_purpose": "TxDefaultProfile" if limit.connector else "ChargingStationMaxProfile",
        "charging_profile_kind": "Absolute",
        "charging_schedule": [
            {
                "id": LIMIT_PROFILE,
                "charging_rate_unit": limit.unit,
                "charging_schedule_period": [{"start_period": 0, "limit": limit.value}],
            }
        ],
    }


def _connector(evse: int, connector: int) -> str:
    """The EVSE is what 1.6 calls a connector; one with several plugs names the others `<evse>-<connector>`."""
    return str(evse) if connector <= 1 else f"{evse}-{connector}"


def _energy(samples: Sequence[Sample], index: int) -> float | None:
    energies = [energy for sample in samples if (energy := sample.find(ENERGY)) is not None]
    return energies[index] if energies else None

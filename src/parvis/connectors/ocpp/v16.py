"""OCPP 1.6J: what a charge point tells, and what it is asked (OCPP 1.6 edition 2, chapters 4 to 6)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, assert_never

from ocpp.v16 import ChargePoint, call, call_result

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
from parvis.connectors.ocpp.mapping import read_time
from parvis.connectors.ocpp.records import Began
from parvis.connectors.ocpp.talker import Talker

PROTOCOL = "ocpp1.6"


class ChargePoint16(Talker, ChargePoint):  # type: ignore[misc]
    answers = call_result

    @handles("BootNotification")
    async def on_boot(
        self,
        charge_point_vendor: str,
        charge_point_model: str,
        firmware_version: str | None = None,
        charge_point_serial_number: str | None = None,
        **_more: Any,
    ) -> Any:
        return await self.welcome(charge_point_vendor, charge_point_model, firmware_version, charge_point_serial_number)

    @handles("StatusNotification")
    async def on_status(
        self, connector_id: int, error_code: str, status: str, timestamp: str | None = None, **_more: Any
    ) -> Any:
        desk = self.desk
        at = read_time(timestamp or "", desk.now())
        tell = partial(desk.records.tell_status, desk.station, str(connector_id), status, error_code, at)
        await desk.durably(tell)
        return call_result.StatusNotification()

    @handles("Authorize")
    async def on_authorize(self, id_tag: str, **_more: Any) -> Any:
        return call_result.Authorize(self._id_tag_info(id_tag))

    @handles("StartTransaction")
    async def on_start(self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **_more: Any) -> Any:
        desk = self.desk
        began = Began(str(connector_id), read_time(timestamp, desk.now()), meter_start / 1000, id_tag)
        number = await desk.durably(partial(desk.records.begin, desk.station, began, None))
        return call_result.StartTransaction(int(number), self._id_tag_info(id_tag))

    @handles("StopTransaction")
    async def on_stop(
        self,
        meter_stop: int,
        timestamp: str,
        transaction_id: int,
        reason: str | None = None,
        id_tag: str | None = None,
        **_more: Any,
    ) -> Any:
        desk = self.desk
        at = read_time(timestamp, desk.now())
        end = partial(desk.records.end, desk.station, str(transaction_id), at, meter_stop / 1000, reason or "")
        await desk.durably(end)
        return call_result.StopTransaction(None if id_tag is None else self._id_tag_info(id_tag))

    @handles("MeterValues")
    async def on_meter_values(
        self,
        connector_id: int,
        meter_value: Sequence[Mapping[str, Any]],
        transaction_id: int | None = None,
        **_more: Any,
    ) -> Any:
        desk = self.desk
        transaction = None if transaction_id is None else str(transaction_id)
        samples = desk.read(meter_value)
        measure = partial(desk.records.measure, desk.station, str(connector_id), transaction, samples, "Charging")
        await desk.durably(measure)
        return call_result.MeterValues()

    @handles("DiagnosticsStatusNotification")
    async def on_diagnostics(self, status: str, **_more: Any) -> Any:
        await self.note("diagnosticsStatus", status)
        return call_result.DiagnosticsStatusNotification()

    def to_call(self, command: StationCommand) -> Any:
        match command:
            case RemoteStart():
                return call.RemoteStartTransaction(command.id_tag, command.connector)
            case RemoteStop():
                return call.RemoteStopTransaction(int(command.transaction))
            case Availability():
                return call.ChangeAvailability(
                    command.connector, "Operative" if command.is_operative else "Inoperative"
                )
            case Limit():
                return call.SetChargingProfile(command.connector, _profile(command))
            case Reset():
                return call.Reset("Hard" if command.is_hard else "Soft")
            case Unlock():
                return call.UnlockConnector(command.connector)
            case _:
                assert_never(command)

    def _id_tag_info(self, id_tag: str) -> dict[str, str]:
        return {"status": "Accepted" if self.desk.may_charge(id_tag) else "Invalid"}


def _profile(limit: Limit) -> dict[str, Any]:
    return {
        "charging_profile_id": LIMIT_PROFILE,
        "stack_level": 0,
        "charging_profile_purpose": "TxDefaultProfile" if limit.connector else "ChargePointMaxProfile",
        "charging_profile_kind": "Absolute",
        "charging_schedule": {
            "charging_rate_unit": limit.unit,
            "charging_schedule_period": [{"start_period": 0, "limit": limit.value}],
        },
    }

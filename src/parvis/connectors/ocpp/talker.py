"""What both versions say alike of a station that talks."""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, ClassVar

from ocpp.charge_point import ChargePoint

from parvis.connectors.ocpp.commands import StationCommand
from parvis.connectors.ocpp.desk import Desk, count_error, handles, wire_log


class Talker(ChargePoint, ABC):  # type: ignore[misc]
    """`answers` is the library's module of a version's answers."""

    answers: ClassVar[Any]

    def __init__(self, desk: Desk, wire: Any) -> None:
        super().__init__(desk.station, wire, logger=wire_log)
        self.desk = desk

    @abstractmethod
    def to_call(self, command: StationCommand) -> Any:
        """Raises ValueError: this version cannot say it."""

    async def obey(self, command: StationCommand) -> str:
        """The station's answer: its status. Raises TimeoutError, OCPPError, ValueError."""
        answer = await self.call(self.to_call(command), suppress=False)
        return str(answer.status)

    async def welcome(self, vendor: str | None, model: str | None, firmware: str | None, serial: str | None) -> Any:
        facts = {
            "manufacturerName": vendor,
            "modelName": model,
            "firmwareVersion": firmware,
            "serialNumber": serial,
        }
        desk = self.desk
        await desk.durably(partial(desk.records.describe, desk.station, facts))
        return self.answers.BootNotification(desk.now_text(), desk.config.heartbeat_s, "Accepted")

    async def note(self, name: str, value: str) -> None:
        desk = self.desk
        await desk.durably(partial(desk.records.note, desk.station, name, value))

    @handles("Heartbeat")
    async def on_heartbeat(self, **_more: Any) -> Any:
        desk = self.desk
        await desk.durably(partial(desk.records.seen, desk.station))
        return self.answers.Heartbeat(desk.now_text())

    @handles("FirmwareStatusNotification")
    async def on_firmware(self, status: str, **_more: Any) -> Any:
        await self.note("firmwareStatus", status)
        return self.answers.FirmwareStatusNotification()

    @handles("DataTransfer")
    async def on_data_transfer(self, **_more: Any) -> Any:
        """No vendor's own messages are known here."""
        return self.answers.DataTransfer("UnknownVendorId")

    async def _send(self, message: str) -> None:
        count_error(message)
        await super()._send(message)

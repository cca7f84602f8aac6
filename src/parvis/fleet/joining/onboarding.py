"""Many devices at once: a file is looked through, then a job registers its lines and reports what it left out."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from parvis.broker.broker import FindOwner
from parvis.fleet.devices.columns import Fault, LineFault
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.devices.rights import check_writes
from parvis.fleet.devices.sheet import Sheet, SheetReport, read_sheet, report_of
from parvis.fleet.fleet import Fleet
from parvis.kernel.errors import ParvisError, ResourceNotFound
from parvis.kernel.identity import Caller, Right, system_caller
from parvis.kernel.jobs import JobContext, WorkFailed
from parvis.kernel.shelf import Box, Place, Shelf
from parvis.kernel.time import DAY, Clock, system_clock

REGISTER = "devices.register"
"""The kind of job."""
LIST_GONE = "list-gone"
REGISTERED_AT_ONCE = 500
KEPT = 7 * DAY
"""A file that no job took to its end is kept so long."""
_BOX = "device lists"
_BY = "by"


def system_owner(_subject: str, tenant: str) -> Caller:
    """Where nobody signs in."""
    return system_caller("onboarding", tenant)


class Onboarding:
    def __init__(
        self, fleet: Fleet, shelf: Shelf, find_owner: FindOwner = system_owner, clock: Clock = system_clock
    ) -> None:
        """`find_owner` as of Broker: with whose rights a file is registered."""
        self._fleet = fleet
        self._shelf = shelf
        self._clock = clock
        self._find_owner = find_owner

    async def check(self, caller: Caller, body: bytes) -> SheetReport:
        """What registering the file would do; nothing is written. Raises Forbidden or BadRequestData."""
        check_writes(caller)
        sheet = await self._read(body)
        await self._fleet.registry.load(caller.tenant)
        known = sum(
            self._fleet.registry.find(caller.tenant, record.hardware_id) is not None for _, record in sheet.records
        )
        return report_of(sheet, len(sheet.records) - known, known)

    async def put(self, caller: Caller, body: bytes) -> dict[str, str]:
        """Keep a file for a job of kind REGISTER; its arguments. Raises Forbidden or BadRequestData."""
        check_writes(caller)
        await self._read(body)
        now = self._clock()
        key = now.to_bytes(8) + secrets.token_bytes(8)
        box = Box(caller.tenant, _BOX)
        known = await self._shelf.read(Place(box, b""))
        old = [Place(box, one) for one in known if int.from_bytes(one[:8]) < now - KEPT]
        await self._shelf.change((), {Place(box, key): body}, old)
        return arguments_of(caller, key.hex())

    async def check_kept(self, caller: Caller, arguments: Mapping[str, str]) -> SheetReport:
        """As `check`, of a file that was put. Raises ResourceNotFound as well."""
        check_writes(caller)
        try:
            place = _place(caller.tenant, arguments)
        except WorkFailed as fault:
            raise ResourceNotFound("There is no such file (any more).") from fault
        body = (await self._shelf.read(place)).get(place.key)
        if body is None:
            raise ResourceNotFound("There is no such file (any more).")
        return await self.check(caller, body)

    async def drop(self, caller: Caller, arguments: dict[str, str]) -> None:
        """Forget a file that no job was made for."""
        await self._shelf.change((), {}, [_place(caller.tenant, arguments)])

    async def work(self, context: JobContext) -> Any:
        """Register what a file says; after a kill the job begins again, and finds what it did already as known."""
        place = _place(context.tenant, context.arguments)
        body = (await self._shelf.read(place)).get(place.key)
        if body is None:
            raise WorkFailed(LIST_GONE)
        sheet = await self._read(body)
        report = await self._register(self._asker(context), sheet, context)
        await self._shelf.change((), {}, [place])
        return msgspec.to_builtins(report)

    async def register(self, caller: Caller, body: bytes) -> SheetReport:
        """Without a job, for commands. Raises Forbidden or BadRequestData."""
        check_writes(caller)
        return await self._register(caller, await self._read(body), None)

    async def _register(self, caller: Caller, sheet: Sheet, context: JobContext | None) -> SheetReport:
        registry, records = self._fleet.registry, sheet.records
        await registry.load(caller.tenant)
        new = known = 0
        faults: list[Fault] = []
        for start in range(0, len(records), REGISTERED_AT_ONCE):
            if context is not None and context.cancelled:
                break
            part = records[start : start + REGISTERED_AT_ONCE]
            were_known = [registry.find(caller.tenant, record.hardware_id) is not None for _, record in part]
            refused = await self._register_part(caller, part)
            faults += refused
            lines = {one.line for one in refused}
            done = [was for was, (number, _) in zip(were_known, part, strict=True) if number not in lines]
            new, known = new + done.count(False), known + done.count(True)
            if context is not None:
                context.report((start + len(part)) / len(records), f"{start + len(part)} / {len(records)}")
        return report_of(sheet, new, known, faults)

    def _asker(self, context: JobContext) -> Caller:
        """Whoever asked for it, with the rights they have by now. Raises WorkFailed."""
        caller = self._find_owner(str(context.arguments.get(_BY, "")), context.tenant)
        if caller is None or not caller.may(Right.WRITE):
            raise WorkFailed("Whoever asked for this may not change devices any more.")
        return caller

    async def _register_part(self, caller: Caller, part: Sequence[tuple[int, DeviceRecord]]) -> list[Fault]:
        """A line that cannot be written at all is found by itself: it does not take the others with it."""
        try:
            outcomes = await self._fleet.register(caller, [record for _, record in part])
        except ParvisError as fault:
            if not fault.can_be_put_right:
                raise
            if len(part) == 1:
                return [_not_written(part[0][0], fault)]
            half = len(part) // 2
            first = await self._register_part(caller, part[:half])
            return first + await self._register_part(caller, part[half:])
        told = zip(part, outcomes, strict=True)
        return [_not_written(number, outcome.error) for (number, _), outcome in told if outcome.error is not None]

    async def _read(self, body: bytes) -> Sheet:
        registry = self._fleet.registry
        return await asyncio.to_thread(read_sheet, body, registry.profiles, registry.compact)


def arguments_of(caller: Caller, key: str) -> dict[str, str]:
    """Of the job that registers the file kept under that key."""
    return {"list": key, _BY: caller.subject}


def _not_written(line: int, fault: ParvisError) -> Fault:
    return Fault(line, "", LineFault.NOT_WRITTEN, detail=fault.detail)


def _place(tenant: str, arguments: Any) -> Place:
    try:
        return Place(Box(tenant, _BOX), bytes.fromhex(arguments["list"]))
    except (KeyError, TypeError, ValueError) as fault:
        raise WorkFailed(LIST_GONE) from fault

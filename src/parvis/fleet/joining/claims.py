"""Claim codes: labels made beforehand, each of which lets whoever mounts the device register it, once.

Only the hash of a code is kept: the codes are told when they are made, for the labels.
"""

from collections.abc import Sequence
from hashlib import sha256

import msgspec
from msgspec import structs

from parvis.broker.model.entity import Json
from parvis.broker.ports.leases import Leases
from parvis.fleet.devices.device import Device
from parvis.fleet.devices.labels import find_code, new_code
from parvis.fleet.devices.records import DeviceRecord, check_hardware_id
from parvis.fleet.devices.rights import check_writes
from parvis.fleet.fleet import Fleet
from parvis.kernel.errors import AlreadyExists, BadRequestData, ResourceNotFound
from parvis.kernel.identity import Caller
from parvis.kernel.shelf import Box, Place, Shelf
from parvis.kernel.time import Clock, Instant, system_clock

MOST_AT_ONCE = 10_000
MOST_OPEN = 100_000
LONGEST_BATCH = 64
_BOX = "device claims"
_TAKEN_FOR_S = 60.0


class ClaimEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a device before it is mounted. Whoever mounts it may say another `name` and `location`."""

    hardware_id: str
    profile: str
    name: str = ""
    location: dict[str, Json] | None = None
    technology: str = ""
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    serial_number: str = ""
    manufacturer: str = ""
    model: str = ""


class ClaimPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What whoever mounts it adds. `location` is a GeoJSON geometry, `attributes` static ones of the asset, by term."""

    entity_id: str
    name: str = ""
    entity_type: str = ""
    location: dict[str, Json] | None = None
    attributes: dict[str, Json] = {}


class Claim(msgspec.Struct, frozen=True):
    batch: str
    entry: ClaimEntry
    made_at: Instant
    used_at: Instant | None = None
    used_by: str = ""


class Issued(msgspec.Struct, frozen=True):
    """A code, told this once."""

    code: str
    entry: ClaimEntry


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Claim).decode


class Claims:
    def __init__(self, fleet: Fleet, shelf: Shelf, leases: Leases, clock: Clock = system_clock) -> None:
        self._fleet = fleet
        self._shelf = shelf
        self._leases = leases
        self._clock = clock

    async def create(self, caller: Caller, batch: str, entries: Sequence[ClaimEntry]) -> list[Issued]:
        """A code for each device, in order; an open one of the same device ends.

        Raises:
            Forbidden
            BadRequestData: an entry that could not be registered, or too many; no code was made.
            ResourceNotFound: no such profile; no code was made.
        """
        check_writes(caller)
        if not batch.strip() or len(batch) > LONGEST_BATCH:
            raise BadRequestData(f"A batch has a name of 1 to {LONGEST_BATCH} characters.")
        if not 0 < len(entries) <= MOST_AT_ONCE:
            raise BadRequestData(f"Codes are made for 1 to {MOST_AT_ONCE} devices at once.")
        checked = [self._checked(entry) for entry in entries]
        known = await self._read(caller.tenant)
        wanted = {entry.hardware_id for entry in checked}
        if len(wanted) < len(checked):
            raise BadRequestData("A device is named twice.")
        ended = [key for key, one in known.items() if one.entry.hardware_id in wanted and one.used_at is None]
        if len(known) - len(ended) + len(checked) > MOST_OPEN:
            raise BadRequestData(f"There are {len(known)} claim codes already: forget old batches first.")
        issued = [Issued(new_code(), entry) for entry in checked]
        now = self._clock()
        puts = {_place(caller.tenant, one.code): _encode(Claim(batch.strip(), one.entry, now)) for one in issued}
        await self._shelf.change((), puts, [Place(Box(caller.tenant, _BOX), key) for key in ended])
        self._fleet.note(caller, "claims-made", batch.strip(), codes=str(len(issued)))
        return issued

    async def list_claims(self, caller: Caller, batch: str = "") -> list[Claim]:
        """The newest batch first. Raises Forbidden."""
        check_writes(caller)
        claims = [one for one in (await self._read(caller.tenant)).values() if not batch or one.batch == batch]
        return sorted(claims, key=lambda one: (-one.made_at, one.entry.hardware_id))

    async def forget(self, caller: Caller, batch: str) -> int:
        """End the codes of a batch; how many they were. Raises Forbidden."""
        check_writes(caller)
        keys = [key for key, one in (await self._read(caller.tenant)).items() if one.batch == batch]
        await self._shelf.change((), {}, [Place(Box(caller.tenant, _BOX), key) for key in keys])
        self._fleet.note(caller, "claims-ended", batch, codes=str(len(keys)))
        return len(keys)

    async def get(self, caller: Caller, code: str) -> Claim:
        """An open claim. Raises Forbidden, ResourceNotFound, or AlreadyExists: it was used."""
        check_writes(caller)
        place = _place(caller.tenant, code)
        found = (await self._shelf.read(place)).get(place.key)
        if found is None:
            raise ResourceNotFound("There is no such claim code.")
        claim = _decode(found)
        if claim.used_at is not None:
            raise AlreadyExists(f"The code was used already, for {claim.entry.hardware_id}.")
        return claim

    async def redeem(self, caller: Caller, code: str, where: ClaimPlace) -> Device:
        """Register the device of a code. Of several who try at once one succeeds.

        Raises as `get` and Fleet.register; the code stays open then.
        """
        place = _place(caller.tenant, code)
        lease, holder = f"claim/{caller.tenant}/{place.key.hex()}", new_code()
        if not await self._leases.take(lease, holder, _TAKEN_FOR_S):
            raise AlreadyExists("Somebody else uses the code just now.")
        try:
            claim = await self.get(caller, code)
            found = {name: value for name, value in structs.asdict(where).items() if value}
            record = DeviceRecord(**(structs.asdict(claim.entry) | found))
            (outcome,) = await self._fleet.register(caller, [record])
            if outcome.error is not None:
                raise outcome.error
            used = structs.replace(claim, used_at=self._clock(), used_by=caller.subject)
            await self._shelf.change((), {place: _encode(used)}, ())
            self._fleet.note(caller, "device-claimed", claim.entry.hardware_id, batch=claim.batch)
        finally:
            await self._leases.give_back(lease, holder)
        return await self._fleet.get_device(caller, claim.entry.hardware_id)

    def _checked(self, entry: ClaimEntry) -> ClaimEntry:
        own = structs.replace(entry, hardware_id=check_hardware_id(entry.hardware_id))
        self._fleet.registry.changes.of_record(DeviceRecord(**structs.asdict(own), entity_id="urn:x:y"))
        return own

    async def _read(self, tenant: str) -> dict[bytes, Claim]:
        found = await self._shelf.read(Place(Box(tenant, _BOX), b""))
        return {key: _decode(document) for key, document in found.items()}


def _place(tenant: str, code: str) -> Place:
    counted = find_code(code)
    if counted is None:
        raise BadRequestData(f"{code!r} is no claim code.")
    return Place(Box(tenant, _BOX), sha256(counted.encode()).digest())

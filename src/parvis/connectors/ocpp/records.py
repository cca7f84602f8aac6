"""What stations tell, as entities: the station, its connectors, and each charging session.

Stations send again what was not answered, after hours offline too. Nothing here is doubled by that: a session is known
by what began it, its end by its moment, a measurement by its moment.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode, Outcome
from parvis.broker.model.entity import Entity, Instance, Json, Kind
from parvis.broker.query.tree import Compare, EntityQuery, Operator, Path, TemporalQuery, TimeRelation, TypeIs
from parvis.connectors.ocpp.mapping import ENERGY, Sample
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.uplink import NO_COUNTER, Technology, Uplink, plain_hardware_id
from parvis.fleet.network.reactions import Reactions
from parvis.kernel.errors import Overloaded, ResourceNotFound
from parvis.kernel.identity import Caller
from parvis.kernel.time import Clock, Instant, format_instant, system_clock

WAY = "ocpp"
MOST_CONNECTORS = 100
_FREE = "Available"
_LONGEST_TEXT = 255
_PAGE = 200
_MOST_TRIES = 1000
_ENDED = "Ended"

Attributes = Mapping[str, tuple[Json, str]]
"""Values with their unit code by term."""


class NotStored(Exception):
    """The store refused a change: the message is not to be answered."""


class NeverStored(Exception):
    """The platform refuses a change for good: the station hears an error, and goes on with its next message."""


class Began(msgspec.Struct, frozen=True):
    """The beginning of a session as its station tells it. `meter_kwh` is None where it does not say."""

    connector: str
    at: Instant
    meter_kwh: float | None
    id_tag: str


class ChargingRecords:
    def __init__(
        self,
        broker: Broker,
        fleet: Fleet,
        caller: Caller,
        keeps_id_tags: bool,
        clock: Clock = system_clock,
        reactions: Reactions | None = None,
    ) -> None:
        self.clock = clock
        self._broker = broker
        self._fleet = fleet
        self._caller = caller
        self._keeps_id_tags = keeps_id_tags
        self._reactions = reactions
        self._expand = broker.contexts.parvis.expand

    async def describe(self, station: str, facts: Mapping[str, str | None]) -> None:
        """What a station says of itself when it starts, by term."""
        told = {term: (value[:_LONGEST_TEXT], "") for term, value in facts.items() if value}
        await self._write([self._station(station, {**told, "isConnected": (True, "")})])
        await self._hear(station)

    async def seen(self, station: str) -> None:
        """A sign of life: of a registered device, for the fleet's health."""
        if self._is_registered(station):
            await self._hear(station)

    async def connected(self, station: str, is_connected: bool) -> None:
        """Of a station that is away nobody knows a connector to be free: all of it is told silent."""
        told = {"isConnected": (is_connected, ""), "isStale": (not is_connected, "")}
        silent = {"isStale": (not is_connected, "")}
        numbers = range(1, len(await self._list_connectors(station)) + 1)
        connectors = [self._connector(station, str(number), silent, self.clock()) for number in numbers]
        await self._write([self._station(station, told), *connectors])
        await self._count_free(station, is_connected=is_connected)

    async def all_away(self) -> None:
        """At the start nobody is connected yet, whatever was told last by a process that was killed."""
        is_connected = Compare(Path(self._expand("isConnected")), Operator.EQUAL, True)
        stations = EntityQuery(types=TypeIs(self._expand("EVChargingStation")), q=is_connected, limit=_PAGE)
        away = {one.id: one async for one in self._broker.walk(self._caller, stations)}
        if not away:
            return
        told: dict[str, tuple[Json, str]] = {"isConnected": (False, ""), "isStale": (True, "")}
        for station in away.values():
            counted = self._value(station, "availableCapacity") is not None
            free: Attributes = {"availableCapacity": (0, "")} if counted else {}
            await self._write([self._change(station.id, "EVChargingStation", {**told, **free}, self.clock())])
        connectors = EntityQuery(types=TypeIs(self._expand("ChargingConnector")), limit=_PAGE)
        async for one in self._broker.walk(self._caller, connectors):
            if self._value(one, "chargingStation") in away:
                silent = {"isStale": (True, "")}
                await self._write([self._change(one.id, "ChargingConnector", silent, self.clock())])

    async def note(self, station: str, term: str, value: str) -> None:
        await self._write([self._station(station, {term: (value[:_LONGEST_TEXT], "")})])

    async def tell_status(self, station: str, connector: str, status: str, error: str, at: Instant) -> None:
        """The status of a connector; `0` is the station as a whole."""
        if connector == "0":
            await self._write([self._station(station, {"status": (status, ""), "errorCode": (error, "")}, at)])
            return
        told = {"status": (status, ""), "errorCode": (error, "")}
        await self._write([self._connector(station, connector, told, at)])
        await self._count_free(station)

    async def begin(self, station: str, began: Began, transaction: str | None) -> str:
        """The number of the session: the same one for the same beginning, however often it is told."""
        if transaction is None:
            transaction = await self._number(station, began)
        told: dict[str, tuple[Json, str]] = {
            "startDate": (_date(began.at), ""),
            "transactionId": (transaction, ""),
        }
        if began.meter_kwh is not None:
            told["meterStart"] = (began.meter_kwh, "KWH")
        if self._keeps_id_tags and began.id_tag:
            told["idTag"] = (began.id_tag[:_LONGEST_TEXT], "")
        known = await self._broker.find(self._caller, session_id(station, transaction))
        if known is None or self._value(known, "startDate") is None:
            told |= self._delivered_before_its_beginning_was_told(known, began.meter_kwh)
            await self._write([self._session(station, transaction, told, began.at, began.connector)])
        return transaction

    async def end(self, station: str, transaction: str, at: Instant, meter_kwh: float | None, reason: str) -> None:
        known = await self._broker.find(self._caller, session_id(station, transaction))
        if known is not None and self._value(known, "endDate") is not None:
            return
        told: dict[str, tuple[Json, str]] = {
            "endDate": (_date(at), ""),
            "stopReason": (reason or "Local", ""),
            "chargingState": (_ENDED, ""),
            "transactionId": (transaction, ""),
        }
        if meter_kwh is not None:
            told["meterStop"] = (meter_kwh, "KWH")
            told |= self._delivered(known, meter_kwh)
        await self._write([self._session(station, transaction, told, at)])

    async def measure(
        self, station: str, connector: str, transaction: str | None, samples: Sequence[Sample], state: str = ""
    ) -> None:
        """What a connector measured; within a session, what it has delivered so far."""
        fresh = [one for one in samples if not await self._is_stored(connector_id(station, connector), one)]
        changes = [
            self._connector(
                station, connector, {one.term: (one.value, one.unit_code) for one in sample.measurements}, sample.at
            )
            for sample in fresh
        ]
        if transaction is not None:
            changes += await self._progress(station, transaction, fresh, state)
        await self._write(changes)

    async def _progress(self, station: str, transaction: str, samples: Sequence[Sample], state: str) -> list[Change]:
        known = await self._broker.find(self._caller, session_id(station, transaction))
        if known is not None and self._value(known, "endDate") is not None:
            return []
        energies = [(sample.at, energy) for sample in samples if (energy := sample.find(ENERGY)) is not None]
        if not energies:
            return []
        at, energy = energies[-1]
        told = self._delivered(known, energy)
        if state:
            told["chargingState"] = (state, "")
        return [self._session(station, transaction, told, at)] if told else []

    def _delivered(self, session: Entity | None, meter_kwh: float) -> dict[str, tuple[Json, str]]:
        """Energy since the beginning, where that is known; a meter that went back tells nothing."""
        return {} if session is None else _difference(self._value(session, "meterStart"), meter_kwh)

    def _delivered_before_its_beginning_was_told(
        self, session: Entity | None, start_kwh: float | None
    ) -> dict[str, tuple[Json, str]]:
        stop_kwh = None if session is None else self._value(session, "meterStop")
        return {} if start_kwh is None else _difference(start_kwh, stop_kwh)

    async def _number(self, station: str, began: Began) -> str:
        """A positive number of 31 bits, made of the beginning itself (OCPP 1.6: an integer)."""
        text = f"{station}|{began.connector}|{began.at}|{began.meter_kwh}|{began.id_tag}"
        candidate = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF
        for _ in range(_MOST_TRIES):
            number = str(max(candidate, 1))
            known = await self._broker.find(self._caller, session_id(station, number))
            if known is None or self._is_same(known, station, began):
                return number
            candidate = (candidate + 1) & 0x7FFFFFFF
        raise NotStored("no free transaction number")

    def _is_same(self, known: Entity, station: str, began: Began) -> bool:
        return (
            self._value(known, "startDate") in (None, _date(began.at))
            and self._value(known, "meterStart") in (None, began.meter_kwh)
            and self._value(known, "chargingConnector") in (None, connector_id(station, began.connector))
        )

    async def _is_stored(self, entity_id: str, sample: Sample) -> bool:
        """Whether history has the sample's first value at its very moment: values of a sample are stored together."""
        first = sample.measurements[0]
        name = self._expand(first.term)
        query = TemporalQuery(TimeRelation.BETWEEN, sample.at, sample.at + 1, attrs=(name,))
        try:
            history = await self._broker.history(self._caller, entity_id, query)
        except ResourceNotFound:
            return False
        return any(one.value == first.value for one in history.instances.get((name, ""), ()))

    async def _count_free(self, station: str, *, is_connected: bool = True) -> None:
        """How many connectors there are, and how many of them are free."""
        statuses = [self._value(one, "status") for one in await self._list_connectors(station)]
        if statuses:
            free = sum(one == _FREE for one in statuses) if is_connected else 0
            told = {"socketNumber": (len(statuses), ""), "availableCapacity": (free, "")}
            await self._write([self._station(station, told)])

    async def _list_connectors(self, station: str) -> list[Entity]:
        found: list[Entity] = []
        for number in range(1, MOST_CONNECTORS + 1):
            entity = await self._broker.find(self._caller, connector_id(station, str(number)))
            if entity is None:
                break
            found.append(entity)
        return found

    def _is_registered(self, station: str) -> bool:
        return self._fleet.registry.find(self._caller.tenant, plain_hardware_id(station)) is not None

    async def _hear(self, station: str) -> None:
        """Through the fleet: a station that is registered as a device is alive, one that is not waits to be adopted."""
        uplink = Uplink(
            plain_hardware_id(station),
            b"",
            0,
            NO_COUNTER,
            self.clock(),
            fields={"is_connected": True},
            technology=Technology.WIRED,
            way=WAY,
            route=station,
        )
        await self._fleet.take(self._caller, [uplink])
        if self._reactions is not None:
            await self._reactions.hear(self._caller, [uplink])

    def _station(self, station: str, told: Attributes, at: Instant | None = None) -> Change:
        return self._change(self.station_id(station), "EVChargingStation", told, self.clock() if at is None else at)

    def _connector(self, station: str, connector: str, told: Attributes, at: Instant) -> Change:
        links = {"chargingStation": self.station_id(station)}
        facts = {**told, "connectorNumber": (connector, "")}
        return self._change(connector_id(station, connector), "ChargingConnector", facts, at, links)

    def _session(
        self, station: str, transaction: str, told: Attributes, at: Instant, connector: str | None = None
    ) -> Change:
        links = {"chargingStation": self.station_id(station)}
        if connector is not None:
            links["chargingConnector"] = connector_id(station, connector)
        return self._change(session_id(station, transaction), "ChargingSession", told, at, links)

    def _change(
        self, entity_id: str, kind: str, told: Attributes, at: Instant, links: Mapping[str, str] | None = None
    ) -> Change:
        instances = [
            Instance(self._expand(term), Kind.PROPERTY, value, "", at, unit) for term, (value, unit) in told.items()
        ]
        instances += [Instance(self._expand(term), Kind.RELATIONSHIP, target) for term, target in (links or {}).items()]
        types = (self._expand(kind),)
        return Change(entity_id, Mode.UPSERT_UPDATE, tuple(instances), types, keep_newest=True)

    def station_id(self, station: str) -> str:
        """The asset of the device, where the station is registered as one."""
        device = self._fleet.registry.find(self._caller.tenant, plain_hardware_id(station))
        return f"urn:ngsi-ld:EVChargingStation:{station}" if device is None else device.asset_id

    def _value(self, entity: Entity, term: str) -> Json:
        instance = entity.find(self._expand(term))
        return None if instance is None else instance.value

    async def _write(self, changes: Sequence[Change]) -> None:
        if changes:
            _check(await self._broker.write(self._caller, changes))


def _difference(start_kwh: Json, stop_kwh: Json) -> dict[str, tuple[Json, str]]:
    if not isinstance(start_kwh, int | float) or not isinstance(stop_kwh, int | float) or stop_kwh < start_kwh:
        return {}
    return {"energyDelivered": (float(f"{stop_kwh - start_kwh:.10g}"), "KWH")}


def connector_id(station: str, connector: str) -> str:
    return f"urn:ngsi-ld:ChargingConnector:{station}:{connector}"


def session_id(station: str, transaction: str) -> str:
    return f"urn:ngsi-ld:ChargingSession:{station}:{quote(transaction, safe='')}"


def _date(at: Instant) -> Json:
    return {"@type": "DateTime", "@value": format_instant(at)}


def _check(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.error is not None:
            passes = isinstance(outcome.error, Overloaded)
            raise (NotStored if passes else NeverStored)(outcome.error.detail)

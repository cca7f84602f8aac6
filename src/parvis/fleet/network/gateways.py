"""Gateways as entities: what frames and their own reports tell of them, written at most once a minute each."""

import re
from collections.abc import Iterable, Sequence
from enum import Enum

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Iri, Json, Kind
from parvis.fleet import metrics
from parvis.fleet.model.events import GatewayStats
from parvis.fleet.model.uplink import Reception, Uplink, plain_hardware_id
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import system_caller
from parvis.kernel.time import DAY, MINUTE, Clock, Instant, format_instant, system_clock

WRITTEN_EVERY = MINUTE
SILENT_AFTER = 15 * MINUTE
"""Gateways report every 30 s by default; one that hears no frame in a quarter of an hour stands apart from a town."""
MOST_GATEWAYS = 10_000
"""Of one tenant: none takes another's place."""
_FORGOTTEN_AFTER = DAY
_FORGET_EVERY = MINUTE
_GATEWAY = re.compile(r"[0-9a-z][0-9a-z._-]{0,63}")


class GatewayState(Enum):
    HEARD = "heard"
    SILENT = "silent"


def judge_gateway(last_heard_at: Instant | None, now: Instant) -> GatewayState:
    is_heard = last_heard_at is not None and now - last_heard_at <= SILENT_AFTER
    return GatewayState.HEARD if is_heard else GatewayState.SILENT


def gateway_entity_id(gateway: str) -> str:
    return f"urn:ngsi-ld:Gateway:{plain_hardware_id(gateway)}"


class _Tally(msgspec.Struct, eq=False):
    """Of one gateway since it was last written."""

    written_at: Instant
    last_heard_at: Instant = 0
    uplinks: int = 0
    rssi_dbm_sum: float = 0.0
    rssi_count: int = 0
    snr_db_sum: float = 0.0
    snr_count: int = 0
    has_stats: bool = False
    frames_heard: int = 0
    frames_valid: int = 0
    frames_sent: int = 0
    place: tuple[float, float] | None = None
    told_place: tuple[float, float] | None = None

    def hear(self, at: Instant, reception: Reception) -> None:
        self.last_heard_at = max(self.last_heard_at, at)
        self.uplinks += 1
        if reception.rssi_dbm is not None:
            self.rssi_dbm_sum += reception.rssi_dbm
            self.rssi_count += 1
        if reception.snr_db is not None:
            self.snr_db_sum += reception.snr_db
            self.snr_count += 1
        if reception.longitude is not None and reception.latitude is not None:
            self.place = (reception.longitude, reception.latitude)

    def count(self, at: Instant, stats: GatewayStats) -> None:
        self.last_heard_at = max(self.last_heard_at, at)
        self.has_stats = True
        self.frames_heard += stats.frames_heard
        self.frames_valid += stats.frames_valid
        self.frames_sent += stats.frames_sent
        if stats.longitude is not None and stats.latitude is not None:
            self.place = (stats.longitude, stats.latitude)


class _Followed:
    """The gateways of one tenant, by name. Where there are too many, those not heard for a day make room."""

    def __init__(self) -> None:
        self.tallies: dict[str, _Tally] = {}
        self._forgot_at: Instant = 0

    def find(self, name: str, now: Instant) -> _Tally | None:
        tally = self.tallies.get(name)
        if tally is None and self._has_room(now):
            tally = self.tallies[name] = _Tally(written_at=0)
        return tally

    def _has_room(self, now: Instant) -> bool:
        if len(self.tallies) >= MOST_GATEWAYS and abs(now - self._forgot_at) >= _FORGET_EVERY:
            self._forgot_at = now
            before = now - _FORGOTTEN_AFTER
            for name in [name for name, one in self.tallies.items() if one.last_heard_at < before]:
                del self.tallies[name]
        return len(self.tallies) < MOST_GATEWAYS


class Gateways:
    """What this process hears of gateways. Several processes write what each has heard, one after the other."""

    def __init__(self, broker: Broker, clock: Clock = system_clock) -> None:
        self._broker = broker
        self._clock = clock
        self._terms = _Terms(broker)
        self._followed: dict[str, _Followed] = {}

    async def take(self, tenant: str, uplinks: Iterable[Uplink], stats: Iterable[GatewayStats] = ()) -> None:
        """Count; and write those whose time it is. What cannot be written now is with the next one."""
        now = self._clock()
        touched: dict[str, _Tally] = {}
        for uplink in uplinks:
            for reception in uplink.receptions:
                tally = self._tally(tenant, reception.gateway, now, touched)
                if tally is not None:
                    tally.hear(min(uplink.received_at, now), reception)
        for one in stats:
            tally = self._tally(tenant, one.gateway, now, touched)
            if tally is not None:
                tally.count(min(one.at, now), one)
        due = {gateway: tally for gateway, tally in touched.items() if now - tally.written_at >= WRITTEN_EVERY}
        if due:
            await self._write(tenant, due, now)

    def _tally(self, tenant: str, gateway: str, now: Instant, touched: dict[str, _Tally]) -> _Tally | None:
        name = plain_hardware_id(gateway)
        tally = touched.get(name)
        if tally is not None or not _GATEWAY.fullmatch(name):
            return tally
        tally = self._followed.setdefault(tenant, _Followed()).find(name, now)
        if tally is None:
            metrics.GATEWAYS_LEFT_OUT.inc()
        else:
            touched[name] = tally
        return tally

    async def _write(self, tenant: str, due: dict[str, _Tally], now: Instant) -> None:
        before = {gateway: msgspec.structs.replace(tally) for gateway, tally in due.items()}
        changes = [self._change(gateway, tally, now) for gateway, tally in due.items()]
        tallies = self._followed[tenant].tallies
        tallies |= {gateway: _begun_anew(tally, now) for gateway, tally in due.items()}
        try:
            await self._broker.write(system_caller("fleet", tenant), changes)
        except ParvisError:
            tallies |= before

    def _change(self, gateway: str, tally: _Tally, now: Instant) -> Change:
        return Change(
            gateway_entity_id(gateway),
            Mode.UPSERT_UPDATE,
            tuple(self._terms.instances(gateway, tally, now)),
            (self._terms.gateway,),
            keep_newest=True,
        )


def _begun_anew(tally: _Tally, now: Instant) -> _Tally:
    return _Tally(written_at=now, last_heard_at=tally.last_heard_at, told_place=tally.place or tally.told_place)


class _Terms:
    def __init__(self, broker: Broker) -> None:
        expand = broker.contexts.parvis.expand
        self.gateway: Iri = expand("Gateway")
        self._hardware_id = expand("hardwareId")
        self._last_reported = expand("dateLastValueReported")
        self._rate = expand("uplinkRate")
        self._rssi, self._snr = expand("rssi"), expand("snr")
        self._counted = tuple(map(expand, ("framesHeard", "framesValid", "framesSent")))
        self._location = expand("location")

    def instances(self, gateway: str, tally: _Tally, now: Instant) -> list[Instance]:
        at = tally.last_heard_at
        reported = {"@type": "DateTime", "@value": format_instant(at)}
        told = [
            Instance(self._hardware_id, Kind.PROPERTY, gateway),
            Instance(self._last_reported, Kind.PROPERTY, reported, "", at),
            *self._radio(tally, at, now),
        ]
        if tally.has_stats:
            counts = (tally.frames_heard, tally.frames_valid, tally.frames_sent)
            told += _properties(zip(self._counted, counts, strict=True), at)
        if tally.place is not None and tally.place != tally.told_place:
            point: Json = {"type": "Point", "coordinates": list(tally.place)}
            told.append(Instance(self._location, Kind.GEO_PROPERTY, point, "", at))
        return told

    def _radio(self, tally: _Tally, at: Instant, now: Instant) -> list[Instance]:
        told = []
        if tally.written_at:
            minutes = (now - tally.written_at) / MINUTE
            told.append(Instance(self._rate, Kind.PROPERTY, round(tally.uplinks / minutes, 2), "", at, "C94"))
        if tally.rssi_count:
            mean_dbm = round(tally.rssi_dbm_sum / tally.rssi_count, 1)
            told.append(Instance(self._rssi, Kind.PROPERTY, mean_dbm, "", at, "DBM"))
        if tally.snr_count:
            mean_db = round(tally.snr_db_sum / tally.snr_count, 1)
            told.append(Instance(self._snr, Kind.PROPERTY, mean_db, "", at, "2N"))
        return told


def _properties(values: Iterable[tuple[Iri, int]], at: Instant) -> Sequence[Instance]:
    return [Instance(name, Kind.PROPERTY, value, "", at) for name, value in values]

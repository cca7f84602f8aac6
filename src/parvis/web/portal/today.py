"""What a resident wants to know of a place today, gathered from the entities there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, hypot, radians

from parvis.broker.model.entity import Entity, Instance
from parvis.kernel.time import Instant
from parvis.web.headline import State
from parvis.web.views import EntityReader, ObjectView

CONTAINER, SPOT, STATION, WATER = "WasteContainer", "ParkingSpot", "AirQualityObserved", "WaterObserved"
WEATHER = "WeatherObserved"
TYPES = (CONTAINER, SPOT, STATION, WEATHER, WATER)
FREE = "free"
UNSORTED = frozenset({"other", "municipal"})
"""The stored waste kind of litter bins: nobody looks for those."""
# Upper bounds of "good", "fair", "moderate" and "poor" for PM2.5 in ug/m3 (European Air Quality Index, EEA, hourly).
AIR_WORDS: tuple[tuple[float, str], ...] = ((10, "good"), (20, "fair"), (25, "moderate"), (50, "poor"))
WORST_AIR = "very_poor"


@dataclass(frozen=True, slots=True)
class Measure:
    value: float
    unit_code: str
    attribute: str


@dataclass(frozen=True, slots=True)
class Weather:
    station: str
    temperature: Measure | None
    wind: Measure | None
    rain: Measure | None
    air: str
    at: Instant


@dataclass(frozen=True, slots=True)
class WaterLevel:
    name: str
    height: Measure
    at: Instant


@dataclass(frozen=True, slots=True)
class CarPark:
    name: str
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Container:
    kind: str
    fill: float | None
    state: State


@dataclass(frozen=True, slots=True)
class RecyclingPoint:
    street: str
    commune: str
    containers: tuple[Container, ...]
    at: Instant | None

    @property
    def worst(self) -> State:
        return max(one.state for one in self.containers)


@dataclass(frozen=True, slots=True)
class Today:
    weather: Weather | None
    levels: tuple[WaterLevel, ...]
    car_parks: tuple[CarPark, ...]
    points: tuple[RecyclingPoint, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """An entity with its view."""

    entity: Entity
    view: ObjectView


class Gatherer:
    def __init__(self, reader: EntityReader) -> None:
        self._reader = reader

    def gather(self, seen: Sequence[Seen], commune: str) -> Today:
        here = [one for one in seen if not commune or one.view.commune == commune]
        return Today(
            weather=self._weather(seen, here),
            levels=tuple(self._levels(here)),
            car_parks=tuple(self._car_parks(here)),
            points=tuple(self._points(self.recycling(here, commune))) if commune else (),
        )

    def recycling(self, seen: Iterable[Seen], commune: str) -> list[Seen]:
        """The commune's containers for sorted waste."""
        return [
            one
            for one in seen
            if one.view.type == CONTAINER
            and one.view.commune == commune
            and self._text(one.entity, "storedWasteKind") not in UNSORTED
        ]

    def _weather(self, seen: Sequence[Seen], here: Sequence[Seen]) -> Weather | None:
        """The station in the commune, else the nearest one."""
        stations = [one for one in seen if one.view.type in (STATION, WEATHER) and one.view.observed_at is not None]
        if not stations:
            return None
        local = [one for one in stations if one in here]
        station = local[0] if local else nearest(stations, middle_of(here))
        air = self._measure(station.entity, "pm25")
        return Weather(
            station=station.view.name,
            temperature=self._measure(station.entity, "temperature"),
            wind=self._measure(station.entity, "windSpeed"),
            rain=self._measure(station.entity, "precipitation"),
            air="" if air is None else air_word(air.value),
            at=station.view.observed_at or 0,
        )

    def _levels(self, here: Iterable[Seen]) -> Iterable[WaterLevel]:
        for one in here:
            height = self._measure(one.entity, "height")
            if one.view.type == WATER and height is not None and one.view.observed_at is not None:
                yield WaterLevel(one.view.name, height, one.view.observed_at)

    def _car_parks(self, here: Iterable[Seen]) -> Iterable[CarPark]:
        """Spots whose names differ only after the last comma are one car park; unknown ones do not count."""
        spots: dict[str, list[str]] = {}
        for one in here:
            if one.view.type == SPOT and one.view.state is State.GOOD:
                spots.setdefault(one.view.name.rpartition(", ")[0] or one.view.name, []).append(str(one.view.value))
        for name, states in sorted(spots.items()):
            yield CarPark(name, states.count(FREE), len(states))

    def _points(self, containers: Iterable[Seen]) -> Iterable[RecyclingPoint]:
        groups: dict[str, list[Seen]] = {}
        for one in containers:
            groups.setdefault(self._text(one.entity, "isleId") or one.view.id, []).append(one)
        points = [self._point(group) for group in groups.values()]
        return sorted(points, key=lambda point: point.street)

    def _point(self, group: Sequence[Seen]) -> RecyclingPoint:
        times = [one.view.observed_at for one in group if one.view.observed_at is not None]
        return RecyclingPoint(
            street=self._street(group[0]),
            commune=group[0].view.commune,
            containers=tuple(sorted((self._container(one) for one in group), key=lambda container: container.kind)),
            at=min(times, default=None),
        )

    def _container(self, one: Seen) -> Container:
        fill = one.view.value if isinstance(one.view.value, int | float) else None
        return Container(self._text(one.entity, "storedWasteKind"), fill, one.view.state)

    def _street(self, one: Seen) -> str:
        address = self._find(one.entity, "address")
        members = address.value if address is not None and isinstance(address.value, dict) else {}
        streets = [str(text) for name, text in members.items() if name.rsplit("/", 1)[-1] == "streetAddress"]
        return streets[0] if streets else one.view.name

    def _measure(self, entity: Entity, term: str) -> Measure | None:
        one = self._find(entity, term)
        if one is None or not isinstance(one.value, int | float):
            return None
        return Measure(one.value, one.unit_code, term)

    def _text(self, entity: Entity, term: str) -> str:
        one = self._find(entity, term)
        value = None if one is None else one.value
        if isinstance(value, list):
            value = value[0] if value else None
        return "" if value is None else str(value)

    def _find(self, entity: Entity, term: str) -> Instance | None:
        return entity.find(self._reader.expand(term))


def air_word(pm25_ug_per_m3: float) -> str:
    return next((word for bound, word in AIR_WORDS if pm25_ug_per_m3 <= bound), WORST_AIR)


def middle_of(seen: Iterable[Seen]) -> tuple[float, float] | None:
    places = [one.view.position for one in seen if one.view.position is not None]
    if not places:
        return None
    return sum(lon for lon, _ in places) / len(places), sum(lat for _, lat in places) / len(places)


def nearest(seen: Sequence[Seen], place: tuple[float, float] | None) -> Seen:
    def distance(one: Seen) -> float:
        if place is None or one.view.position is None:
            return 0.0
        east = (one.view.position[0] - place[0]) * cos(radians(place[1]))
        return hypot(east, one.view.position[1] - place[1])

    return min(seen, key=distance)

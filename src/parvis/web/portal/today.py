"""What a resident wants to know of a place today, gathered from the entities there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from parvis.broker.model.entity import Entity, Instance
from parvis.broker.query.geography import distance_m
from parvis.kernel.time import Instant
from parvis.web.headline import State
from parvis.web.views import EntityReader, ObjectView, natural

CONTAINER, SPOT, STATION, WATER = "WasteContainer", "ParkingSpot", "AirQualityObserved", "WaterObserved"
WEATHER = "WeatherObserved"
TYPES = (CONTAINER, SPOT, STATION, WEATHER, WATER)
FREE = "free"
NEAREST_SHOWN = 9
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
    away_m: float | None = None

    @property
    def worst(self) -> State:
        return max(one.state for one in self.containers)


@dataclass(frozen=True, slots=True)
class Today:
    weather: Weather | None
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

    def gather(self, seen: Sequence[Seen], commune: str, place: tuple[float, float] | None = None) -> Today:
        here = [one for one in seen if not commune or one.view.commune == commune]
        return Today(
            weather=self._weather(seen, here),
            car_parks=tuple(self._car_parks(here)),
            points=tuple(self._point(one, place) for one in self.recycling(seen, commune, place)),
        )

    def recycling(
        self, seen: Iterable[Seen], commune: str, place: tuple[float, float] | None = None
    ) -> Sequence[Sequence[Seen]]:
        """The containers for sorted waste by the point where they stand: those of the commune by their street, or,
        wherever they are, the nearest to a place."""
        groups: dict[str, list[Seen]] = {}
        for one in seen:
            is_sorted = one.view.type == CONTAINER and self._text(one.entity, "storedWasteKind") not in UNSORTED
            if is_sorted and (place is not None or (commune and one.view.commune == commune)):
                groups.setdefault(self._text(one.entity, "isleId") or one.view.id, []).append(one)
        if place is None:
            return sorted(groups.values(), key=lambda group: natural(self.street(group[0])))
        placed = [group for group in groups.values() if group[0].view.position is not None]
        return sorted(placed, key=lambda group: away_m(group[0], place) or 0.0)[:NEAREST_SHOWN]

    def _weather(self, seen: Sequence[Seen], here: Sequence[Seen]) -> Weather | None:
        """The station in the commune, else the nearest one; a silent one where no other speaks."""
        stations = [one for one in seen if one.view.type in (STATION, WEATHER) and one.view.observed_at is not None]
        if not stations:
            return None
        telling = [one for one in stations if self._measure(one.entity, "temperature")] or stations
        awake = [one for one in telling if one.view.state is not State.STALE] or telling
        local = [one for one in awake if one in here]
        station = local[0] if local else nearest(awake, middle_of(here))
        air = self._measure(station.entity, "pm25")
        return Weather(
            station=station.view.name,
            temperature=self._measure(station.entity, "temperature"),
            wind=self._measure(station.entity, "windSpeed"),
            rain=self._measure(station.entity, "precipitation"),
            air="" if air is None else air_word(air.value),
            at=station.view.observed_at or 0,
        )

    def heights(self, seen: Iterable[Seen]) -> Iterable[tuple[Seen, Measure]]:
        """Of rivers and of the sea."""
        for one in seen:
            height = self._measure(one.entity, "height")
            if one.view.type == WATER and height is not None and one.view.observed_at is not None:
                yield one, height

    def _car_parks(self, here: Iterable[Seen]) -> Iterable[CarPark]:
        """Spots whose names differ only after the last comma are one car park; unknown ones do not count."""
        spots: dict[str, list[str]] = {}
        for one in here:
            if one.view.type == SPOT and one.view.state is State.GOOD:
                spots.setdefault(one.view.name.rpartition(", ")[0] or one.view.name, []).append(str(one.view.value))
        for name, states in sorted(spots.items()):
            yield CarPark(name, states.count(FREE), len(states))

    def _point(self, group: Sequence[Seen], place: tuple[float, float] | None) -> RecyclingPoint:
        times = [one.view.observed_at for one in group if one.view.observed_at is not None]
        return RecyclingPoint(
            street=self.street(group[0]),
            commune=group[0].view.commune,
            containers=tuple(sorted((self._container(one) for one in group), key=lambda container: container.kind)),
            at=min(times, default=None),
            away_m=away_m(group[0], place),
        )

    def _container(self, one: Seen) -> Container:
        fill = one.view.value if isinstance(one.view.value, int | float) else None
        return Container(self._text(one.entity, "storedWasteKind"), fill, one.view.state)

    def street(self, one: Seen) -> str:
        """Of its address; its name where it has none."""
        address = self._find(one.entity, "address")
        members = address.value if address is not None and isinstance(address.value, dict) else {}
        streets = [str(text) for name, text in members.items() if name.rsplit("/", 1)[-1] == "streetAddress"]
        return streets[0] if streets else one.view.name

    def _measure(self, entity: Entity, term: str) -> Measure | None:
        one = self._find(entity, term)
        if one is None or not isinstance(one.value, int | float):
            return None
        return Measure(one.value, one.unit_code, term)

    def number(self, entity: Entity, term: str) -> float | None:
        found = self._measure(entity, term)
        return None if found is None else found.value

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


def away_m(one: Seen, place: tuple[float, float] | None) -> float | None:
    return None if place is None or one.view.position is None else distance_m(place, one.view.position)


def nearest(seen: Sequence[Seen], place: tuple[float, float] | None) -> Seen:
    return min(seen, key=lambda one: away_m(one, place) or 0.0)

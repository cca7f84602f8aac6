"""The bus lines that are run, and which bus makes which trip on what type of day."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from parvis.demo.networks.buses import DayType, Line, Trip, Vehicle

LAYOVER_S = 300


@dataclass(frozen=True, slots=True)
class Plan:
    """`anchors` are communes, or facilities as "commune:kind". `headways_min`: peak, day and evening of a school day;
    what other days have is a share of that."""

    short_name: str
    name: str
    colour: str
    anchors: tuple[str, ...]
    headways_min: tuple[int, int, int]
    sunday: bool = True


PLANS = (
    Plan("A", "Hôpital – Gare – Port-Trevalan", "C8102E",
         ("trevalan:hospital", "trevalan:townhall", "kervoalan", "port-trevalan:harbour_office"), (15, 20, 40)),
    Plan("B", "Quelvennec – Lycée – Kerdrouz", "00639A", ("quelvennec", "trevalan:college", "trevalan:market", "park"),
         (30, 45, 60)),
    Plan("C", "Plouvarec – Kervoalan – Trevalan", "2E7D32", ("plouvarec", "kervoalan:swimming_pool", "trevalan"),
         (30, 60, 60)),
    Plan("D", "Trevalan – Penhervan plages", "B25E00", ("trevalan:townhall", "penhervan:tourist_office"), (30, 45, 60)),
    Plan("E", "Lanzuhel – Kervoalan", "6A1B9A", ("lanzuhel", "kervoalan:college", "trevalan:market"), (45, 90, 0),
         sunday=False),
    Plan("F", "Bodvelan – Locvelan – Trevalan", "00796B", ("bodvelan", "locvelan", "trevalan:market"), (45, 90, 0),
         sunday=False),
    Plan("G", "Guervalon – Trézavel – Port-Trevalan", "AD1457",
         ("guervalon", "trezavel:tourist_office", "port-trevalan:market"), (45, 75, 0)),
    Plan("H", "Saint-Gwenvred – Penhervan – Quelvennec", "5D4037", ("saint-gwenvred", "penhervan", "quelvennec"),
         (60, 120, 0), sunday=False),
)  # fmt: skip
PERIODS_H = ((6.25, 9.0, 0), (9.0, 16.0, 1), (16.0, 19.25, 0), (19.25, 21.5, 2))
STRETCH = {
    DayType.SCHOOL_DAY: 1.0, DayType.HOLIDAY_WEEKDAY: 1.35, DayType.SATURDAY: 1.5, DayType.SUNDAY: 2.6,
}  # fmt: skip


def departures_s(plan: Plan, day_type: DayType) -> list[int]:
    """Seconds after midnight from the line's end, to the minute."""
    if day_type is DayType.SUNDAY and not plan.sunday:
        return []
    found, clock = [], PERIODS_H[0][0] * 60
    begin = 2.0 if day_type is DayType.SUNDAY else 0.0
    for start_h, end_h, period in PERIODS_H:
        headway = plan.headways_min[period] * STRETCH[day_type]
        clock = max(clock, (start_h + (begin if start_h == PERIODS_H[0][0] else 0)) * 60)
        while headway and clock < end_h * 60:
            found.append(60 * round(clock))
            clock += headway
    return found


def schedule(lines: Sequence[Line], plans: Sequence[Plan]) -> tuple[tuple[Vehicle, ...], tuple[Trip, ...]]:
    """Each line has its own buses: a trip takes the one that waits longest at its end, else one from the depot."""
    vehicles: list[Vehicle] = []
    trips: list[Trip] = []
    for number, (line, plan) in enumerate(zip(lines, plans, strict=True)):
        own: list[int] = []
        for day_type in DayType:
            trips += _day(number, line, departures_s(plan, day_type), day_type, own, vehicles)
    order = list(DayType)
    trips.sort(key=lambda trip: (order.index(trip.day_type), trip.vehicle, trip.departure_s))
    return tuple(vehicles), tuple(trips)


def _day(
    number: int, line: Line, departures: Sequence[int], day_type: DayType, own: list[int], vehicles: list[Vehicle]
) -> Iterator[Trip]:
    """`own` grows by the buses that this day asks for beyond those there are."""
    waiting: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    fresh = iter(list(own))
    for count, (departure, direction) in enumerate(
        sorted((departure + 420 * direction, direction) for departure in departures for direction in (0, 1))
    ):
        ready = waiting[direction]
        if ready and ready[0][0] <= departure:
            bus = heapq.heappop(ready)[1]
        else:
            taken = next(fresh, None)
            bus = _new_bus(number, line, own, vehicles) if taken is None else taken
        arrival = departure + line.directions[direction].offsets_s[-1]
        heapq.heappush(waiting[1 - direction], (arrival + LAYOVER_S, bus))
        code = "".join(word[0] for word in day_type.value.split())
        yield Trip(f"{line.id}-{code}-{count + 1:03d}", number, direction, day_type, departure, bus)


def _new_bus(number: int, line: Line, own: list[int], vehicles: list[Vehicle]) -> int:
    index = len(vehicles)
    is_electric = index % 4 == 0
    vehicles.append(
        Vehicle(str(201 + index), f"Bus {201 + index}, ligne {line.short_name}", number, 90 if number == 0 else 60,
                is_electric)
    )  # fmt: skip
    own.append(index)
    return index

"""The water that is drawn, and the pressure that is left of it: steady states of the network, solved by EPANET."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from parvis.demo.edition import edition
from parvis.demo.nature.calendar import moments
from parvis.demo.nature.chance import Floats, Times, drift, one_chance
from parvis.demo.nature.habits import HOUSEHOLD_WATER
from parvis.demo.nature.hydraulics import DEMANDS, SHARES, Solved, solve
from parvis.demo.nature.weather import Weather
from parvis.demo.solitude import alone
from parvis.demo.story.events import Event, EventKind, Place
from parvis.demo.story.story import LEAKS, Story, concerns

if TYPE_CHECKING:
    from parvis.demo.networks.water import District, Tower, WaterNetwork

SUMMER_GUESTS = 0.28
BACKGROUND_SHARE = 0.07
"""Of a district's mean demand that is lost all the time: joints and taps that nobody looks for."""
JUNCTION = "junction:"
L_PER_M3, S_PER_DAY = 1000.0, 86_400.0


class Water:
    """`solved` are the network's states, without leaks and with each of them alone; what leaks take adds up."""

    def __init__(
        self, seed: int, weather: Weather, story: Story, network: "WaterNetwork | None", cache: Path | None = None
    ) -> None:
        self._seed, self._weather, self._story = seed, weather, story
        self._network = network
        self._cache = cache
        self._states: dict[str, Solved] = {}
        self._place_of: Mapping[str, int] = {}

    def demand(self, times: Times) -> Floats:
        """What is drawn, as a multiple of the year's mean: hour, day, summer guests and heat."""
        at = moments(times)
        season = np.clip(np.cos(2 * np.pi * (times / S_PER_DAY - 213) / 365.2425), 0, 1)
        warm = np.clip((self._weather.at(times).temperature_c - 20) / 12, 0, 1)
        noise = 1 + 0.05 * drift(self._seed, 51, times, 5400)
        found: Floats = HOUSEHOLD_WATER.weight(at) * (0.95 + SUMMER_GUESTS * season + 0.2 * warm) * noise
        return found

    def district_l_per_s(self, times: Times, district: "District") -> Floats:
        """Through its meter: what is drawn, what seeps, what leaks."""
        mean = district.demand_m3_per_day * L_PER_M3 / S_PER_DAY
        own = 1 + 0.07 * drift(self._seed, int(one_chance(self._seed, _number(district.id)) * 2**31), times, 4200)
        leaks = self._story.effects_at(times, Place(frozenset({f"district:{district.id}"}))).leak_l_per_s
        found: Floats = mean * (self.demand(times) * own + BACKGROUND_SHARE) + leaks
        return found

    def pressure_m(self, times: Times, junction: str) -> Floats:
        """Metres of water above the ground. Raises KeyError for a junction that the network has not."""
        none = self._state(None)
        place = self._place_of[junction]
        level = _places(self.demand(times), DEMANDS)
        found = _between(none.pressure_m[0, :, place], level)
        for leak in self._story.of_kinds(LEAKS):
            share = leak.share(times)
            if share.any() and (state := self._find_state(leak)) is not None:
                lost = none.pressure_m[0, :, place][None, :] - state.pressure_m[:, :, place]
                found -= _on_plane(np.vstack((np.zeros(len(DEMANDS)), lost)), _places(share, (0.0, *SHARES)), level)
        noise = 0.25 * drift(self._seed, 60 + place, times, 600)
        return np.maximum(found + noise, 0.0)

    def tower_m(self, times: Times, tower: "Tower") -> Floats:
        """Water in its bowl: filled at night, drawn by day; it sinks while its pump stands still."""
        at = moments(times)
        share = 0.66 + 0.24 * np.cos(2 * np.pi * (at.hour - 6.2) / 24) - 0.04 * (self.demand(times) - 1)
        place = Place(frozenset({f"tower:{tower.id}"}))
        for event in self._story.events:
            if event.kind is EventKind.BREAKDOWN and concerns(event, place):
                since_h = (times - event.begins_s) / 3600
                sinking = np.clip(since_h, 0, (event.ends_s - event.begins_s) / 3600) / 30
                refilled = np.clip((times - event.ends_s) / 3600 / 8, 0, 1)
                share = share - 0.6 * np.clip(sinking, 0, 1) * (1 - refilled)
        share += 0.02 * drift(self._seed, 70 + _number(tower.id), times, 3600)
        return tower.full_m * np.clip(share, 0.04, 0.99)

    def _find_state(self, leak: Event) -> Solved | None:
        """Where it says at which junction it runs out; of a service pipe, where that branches off."""
        named = sorted(name.removeprefix(JUNCTION) for name in leak.reaches if name.startswith(JUNCTION))
        return self._state(leak, self._heads.get(named[0], named[0])) if named else None

    def _state(self, leak: Event | None, junction: str = "") -> Solved:
        key = "" if leak is None else f"{junction}/{leak.strength:.2f}"
        if key not in self._states:
            solved = self._load_or_solve(key, junction, 0.0 if leak is None else leak.strength)
            self._states[key] = solved
            self._place_of = self._place_of or solved.places(self._heads)
        return self._states[key]

    @cached_property
    def _heads(self) -> Mapping[str, str]:
        from parvis.demo.networks.hydraulics import service_heads

        assert self._network is not None, "who asks for pressure gives a network"
        return service_heads(self._network)

    def _load_or_solve(self, key: str, junction: str, leak_l_per_s: float) -> Solved:
        assert self._network is not None, "who asks for pressure gives a network"
        if self._cache is None:
            return solve(self._network, junction, leak_l_per_s)
        mark = hashlib.sha256(f"{_digest(self._network)} {key} {DEMANDS} {SHARES}".encode()).hexdigest()[:24]
        path = self._cache / f"water-{edition()}-{mark}.npz"
        with alone(self._cache / "water.lock"):  # what another process solves is waited for
            found = Solved.find(path)
            if found is None:
                found = solve(self._network, junction, leak_l_per_s)
                _sweep(self._cache)
                found.keep(path)
            return found


def _sweep(cache: Path) -> None:
    """What other editions solved."""
    for old in cache.glob("water-*.npz"):
        if not old.name.startswith(f"water-{edition()}-"):
            old.unlink(missing_ok=True)


def _digest(network: "WaterNetwork") -> str:
    told: list[tuple[str | float, ...]] = [
        (one.id, one.start, one.end, one.length_m, one.diameter_mm) for one in network.pipes
    ]
    told += [(one.id, one.elevation_m, one.demand_m3_per_day) for one in network.junctions]
    told += [(one.id, one.setting_m) for one in network.reducers]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])


def _places(values: Floats, grid: Sequence[float]) -> Floats:
    """Where values lie in a grid, counted in its steps."""
    found: Floats = np.interp(values, grid, np.arange(len(grid)))
    return found


def _between(column: NDArray[np.float32], place: Floats) -> Floats:
    found: Floats = np.interp(place, np.arange(len(column)), column)
    return found


def _on_plane(plane: Floats, row: Floats, column: Floats) -> Floats:
    """Bilinear."""
    i, j = np.minimum(row.astype(np.int64), len(plane) - 2), np.minimum(column.astype(np.int64), plane.shape[1] - 2)
    u, v = row - i, column - j
    low = plane[i, j] * (1 - v) + plane[i, j + 1] * v
    high = plane[i + 1, j] * (1 - v) + plane[i + 1, j + 1] * v
    found: Floats = low * (1 - u) + high * u
    return found

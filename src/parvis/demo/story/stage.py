"""Where something can happen: the things of a territory by kind, with the names that devices know them by."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from parvis.demo.devices.device import Device, Target
from parvis.demo.devices.kinds import Way
from parvis.demo.story.events import Place


class NoSuchPlace(LookupError):
    """The story names a place that the territory has not."""


class Spot(NamedTuple):
    """`label` is what people call it; `look` the entity that shows best what happens there, `device` its device."""

    names: frozenset[str]
    x: float
    y: float
    commune: str
    label: str
    look: str = ""
    device: str = ""


class Placed(NamedTuple):
    """What can be touched: by what events find it, and the entities that show it; without current it can do nothing."""

    place: Place
    entities: tuple[str, ...]
    needs_current: bool = False


class Stage:
    def __init__(self, spots: Iterable[tuple[str, Spot]], placed: Sequence[Placed] = ()) -> None:
        self.placed = placed
        self._spots: defaultdict[str, list[Spot]] = defaultdict(list)
        for kind, spot in spots:
            self._spots[kind].append(spot)

    def list_kinds(self) -> list[str]:
        return sorted(self._spots)

    def get(self, kind: str, commune: str = "", pick: int = 0) -> Spot:
        """The one that comes at `pick`, counted around. Raises NoSuchPlace."""
        found = [one for one in self._spots.get(kind, ()) if commune in ("", one.commune)]
        if not found:
            where = f" in {commune}" if commune else ""
            raise NoSuchPlace(f"There is no {kind}{where}; there are: {', '.join(self.list_kinds())}.")
        return found[pick % len(found)]


def place_of(device: Device, slug: str) -> Place:
    """What events find a device by; `slug` is its commune's."""
    names = {device.entity_id, f"{device.link.target}:{device.link.id}", f"commune:{slug}"}
    if device.way is Way.LORAWAN:
        names.add(f"radio:{slug}")
    if device.link.target is Target.ROOM:
        names.add(f"building:{device.link.id.partition('/')[0]}")
    return Place(frozenset(names), device.x, device.y)

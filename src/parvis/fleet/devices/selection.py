"""Which of the devices somebody asks for."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from parvis.fleet.devices.device import Device, Standing
from parvis.fleet.model.uplink import Technology


class DeviceFilter(msgspec.Struct, frozen=True):
    """What is empty or None asks for nothing. `search` is looked for in names and identifiers, in any case."""

    search: str = ""
    group: str = ""
    tag: str = ""
    profile: str = ""
    technology: Technology | None = None
    standing: Standing | None = None

    def admits(self, device: Device) -> bool:
        wanted = self.search.casefold()
        return (
            (not self.group or self.group in device.groups)
            and (not self.tag or self.tag in device.tags)
            and (not self.profile or self.profile == device.profile.id)
            and (self.technology is None or self.technology is device.technology)
            and (self.standing is None or self.standing is device.standing)
            and (not wanted or any(wanted in text.casefold() for text in _searched(device)))
        )

    def choose(self, devices: Iterable[Device]) -> list[Device]:
        """Those it admits, by name."""
        admitted = (device for device in devices if self.admits(device))
        return sorted(admitted, key=lambda device: (device.name.casefold(), device.hardware_id))


EVERY_DEVICE = DeviceFilter()


class Facets(msgspec.Struct, frozen=True):
    """How many devices there are of each group, tag, profile, technology and standing: the most frequent come first."""

    groups: Mapping[str, int]
    tags: Mapping[str, int]
    profiles: Mapping[str, int]
    technologies: Mapping[Technology, int]
    standings: Mapping[Standing, int]

    @classmethod
    def of(cls, devices: Iterable[Device]) -> "Facets":
        known = list(devices)
        return cls(
            groups=dict(Counter(one for device in known for one in device.groups).most_common()),
            tags=dict(Counter(one for device in known for one in device.tags).most_common()),
            profiles=dict(Counter(device.profile.id for device in known).most_common()),
            technologies=dict(Counter(device.technology for device in known).most_common()),
            standings=dict(Counter(device.standing for device in known).most_common()),
        )


def _searched(device: Device) -> tuple[str, ...]:
    return (device.name, device.hardware_id, device.asset_id, device.profile.id, *device.groups, *device.tags)

"""Where those who have adopted devices go on: to each device, to what it measures, and to the map."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from parvis.fleet.devices.device import Device
from parvis.kernel.identity import Caller
from parvis.web.console.devices import device_href
from parvis.web.site import Site

MOST_TOLD = 5
FIELD = "device"


@dataclass(frozen=True, slots=True)
class Adopted:
    """`object_href` and `map_href` are empty where nothing is there yet, or has no place."""

    name: str
    href: str
    object_name: str = ""
    object_href: str = ""
    map_href: str = ""


async def list_adopted(site: Site, caller: Caller, hardware_ids: Sequence[str]) -> list[Adopted]:
    registry = site.platform.fleet.registry
    devices = [registry.find(caller.tenant, one) for one in hardware_ids[:MOST_TOLD]]
    return [await _adopted(site, caller, one) for one in devices if one is not None]


async def _adopted(site: Site, caller: Caller, device: Device) -> Adopted:
    entity = await site.platform.broker.find(caller, device.asset_id)
    if entity is None:
        return Adopted(device.name or device.hardware_id, device_href(device.hardware_id))
    view = site.reader.view(entity, site.now)
    shown_alone = urlencode({"id": entity.id, "selected": entity.id})
    return Adopted(
        device.name or device.hardware_id,
        device_href(device.hardware_id),
        view.name,
        f"/console/entities/{quote(entity.id, safe=':')}",
        "" if view.position is None else f"/console/map?{shown_alone}",
    )

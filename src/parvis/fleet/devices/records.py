"""A device as somebody registers it, and the changes of entities that this means.

Terms are those of the Smart Data Models (dataModel.Device: Device, DeviceModel); `hardwareId`, `deviceProfile`,
`technology`, `deviceGroup`, `deviceTag`, `expectedInterval`, `deviceStanding`, `replaces` and `replacedBy` are Parvis'
own.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from parvis.broker.jsonld.geojson import check_geometry
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import AttributeKey, Entity, Instance, Iri, Json, Kind
from parvis.fleet.devices.device import Device, Standing
from parvis.fleet.model.uplink import HARDWARE_ID, Technology, plain_hardware_id
from parvis.fleet.profiles.profile import DeviceProfile, get_profile
from parvis.kernel.errors import BadRequestData

LONGEST_WORD = 64
MOST_WORDS = 32
LONGEST_INTERVAL_S = 366 * 86_400.0
SECONDS = "SEC"
_ID_PREFIX = "urn:ngsi-ld:Device:"


class DeviceRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device to register, with the asset it observes.

    `hardware_id` is how the device names itself: DevEUI, IMEI, Sigfox identifier, serial number, in any case.
    `location` is a GeoJSON geometry; `attributes` are static attributes of the asset, by term, with plain values.
    Without `entity_type` the asset is of its profile's type. `expected_interval_s` is how often a frame is expected,
    0 as its profile says.
    """

    hardware_id: str
    profile: str
    entity_id: str
    name: str = ""
    entity_type: str = ""
    location: dict[str, Json] | None = None
    attributes: dict[str, Json] = {}
    technology: str = ""
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    expected_interval_s: float = 0.0
    serial_number: str = ""
    manufacturer: str = ""
    model: str = ""


class DeviceUpdate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes different of a device; what is left out stays, what is empty goes."""

    profile: str | UnsetType = UNSET
    entity_id: str | UnsetType = UNSET
    entity_type: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    location: dict[str, Json] | UnsetType | None = UNSET
    technology: str | UnsetType = UNSET
    groups: tuple[str, ...] | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    expected_interval_s: float | UnsetType = UNSET
    serial_number: str | UnsetType = UNSET
    manufacturer: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    suspended: bool | UnsetType = UNSET


class Replacement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The device that takes a broken one's place; without a profile that of the broken one."""

    hardware_id: str
    profile: str = ""
    serial_number: str = ""
    manufacturer: str = ""
    model: str = ""


def device_id(hardware_id: str) -> str:
    return f"{_ID_PREFIX}{plain_hardware_id(hardware_id)}"


def hardware_id_of(name: str) -> str:
    """Of a hardware id in any case and grouping, or of a device's entity id."""
    return plain_hardware_id(name.removeprefix(_ID_PREFIX))


class DeviceTerms:
    def __init__(self, expand: Callable[[str], Iri]) -> None:
        self.device: Iri = expand("Device")
        self.hardware_id: Iri = expand("hardwareId")
        self.profile: Iri = expand("deviceProfile")
        self.asset: Iri = expand("controlledAsset")
        self.category: Iri = expand("category")
        self.controlled_property: Iri = expand("controlledProperty")
        self.name: Iri = expand("name")
        self.location: Iri = expand("location")
        self.last_reported: Iri = expand("dateLastValueReported")
        self.technology: Iri = expand("technology")
        self.groups: Iri = expand("deviceGroup")
        self.tags: Iri = expand("deviceTag")
        self.expected_interval: Iri = expand("expectedInterval")
        self.serial_number: Iri = expand("serialNumber")
        self.manufacturer: Iri = expand("manufacturerName")
        self.model: Iri = expand("modelName")
        self.route: Iri = expand("downlinkRoute")
        self.standing: Iri = expand("deviceStanding")
        self.replaces: Iri = expand("replaces")
        self.replaced_by: Iri = expand("replacedBy")
        self.held: frozenset[Iri] = frozenset(
            {
                self.hardware_id,
                self.profile,
                self.asset,
                self.name,
                self.technology,
                self.groups,
                self.tags,
                self.expected_interval,
                self.standing,
                self.route,
            }
        )
        """Those that a Device in memory tells."""

    def held_of(self, device: Device) -> Mapping[Iri, Json]:
        """What the entity says of a device in memory."""
        return {
            self.hardware_id: device.hardware_id,
            self.profile: device.profile.id,
            self.asset: device.asset_id,
            self.name: device.name,
            self.technology: device.technology.value,
            self.groups: list(device.groups),
            self.tags: list(device.tags),
            self.expected_interval: device.expected_interval_s,
            self.standing: device.standing.value,
            self.route: device.route,
        }


class RecordChanges:
    """What registering, changing and replacing devices writes. Each raises BadRequestData or ResourceNotFound."""

    def __init__(
        self, terms: DeviceTerms, expand: Callable[[str], Iri], compact: Callable[[Iri], str],
        profiles: Mapping[str, DeviceProfile],
    ) -> None:  # fmt: skip
        self._terms = terms
        self._expand = expand
        self._compact = compact
        self._profiles = profiles

    def of_record(self, record: DeviceRecord) -> tuple[Change, Change]:
        """Of the asset, and of the device."""
        hardware_id = check_hardware_id(record.hardware_id)
        check_entity_id(record.entity_id)
        if record.location is not None:
            check_geometry(record.location, "location")
        profile = get_profile(self._profiles, record.profile)
        asset_type = self._expand(record.entity_type) if record.entity_type else profile.entity_type
        static = [Instance(self._expand(term), Kind.PROPERTY, value) for term, value in record.attributes.items()]
        shared = self._shared(record.name, record.location)
        asset = Change(record.entity_id, Mode.UPSERT_UPDATE, (*static, *shared), (asset_type,))
        instances = (
            Instance(self._terms.hardware_id, Kind.PROPERTY, hardware_id),
            *self._of_profile(profile),
            self._asset(record.entity_id, asset_type),
            Instance(self._terms.category, Kind.PROPERTY, ["sensor"]),
            *shared,
            *self._described(record),
        )
        return asset, Change(device_id(hardware_id), Mode.UPSERT_UPDATE, instances, (self._terms.device,))

    def of_update(self, device: Device, update: DeviceUpdate) -> list[Change]:
        terms = self._terms
        instances: list[Instance] = []
        removed: list[Iri] = []
        changes: list[Change] = []
        profile = device.profile if update.profile is UNSET else get_profile(self._profiles, update.profile)
        if profile is not device.profile:
            instances += self._of_profile(profile)
        if update.entity_id is not UNSET or update.entity_type is not UNSET:
            asset = self._moved(device, update, profile)
            changes.append(asset)
            instances.append(self._asset(asset.entity_id, (asset.types or (profile.entity_type,))[0]))
        if update.location is not UNSET:
            if update.location is None:
                removed.append(terms.location)
            else:
                check_geometry(update.location, "location")
                instances.append(Instance(terms.location, Kind.GEO_PROPERTY, update.location))
        if update.suspended is not UNSET:
            standing = Standing.SUSPENDED if update.suspended else Standing.ACTIVE
            instances.append(Instance(terms.standing, Kind.PROPERTY, standing.value))
        told = msgspec.structs.asdict(update)
        for name, value in told.items():
            if name in _WORDS and value is not UNSET:
                described = self._words(name, value)
                instances += described
                removed += [] if described else [self._name_of(name)]
        keys: tuple[AttributeKey, ...] = tuple((name, "") for name in removed)
        if instances or keys:
            changes.append(Change(device.entity_id, Mode.MERGE, tuple(instances), removals=keys))
        return changes

    def of_replacement(self, old: Device, entity: Entity, new: Replacement) -> list[Change]:
        """The new device takes the asset, place and words of the old one, whose entity stays and leads to it."""
        terms = self._terms
        hardware_id = check_hardware_id(new.hardware_id)
        profile = get_profile(self._profiles, new.profile) if new.profile else old.profile
        kept = (terms.name, terms.location, terms.technology, terms.groups, terms.tags, terms.expected_interval)
        inherited = [found for name in kept if (found := entity.find(name)) is not None]
        described = [
            one for name in ("serial_number", "manufacturer", "model") for one in self._words(name, getattr(new, name))
        ]
        instances = (
            Instance(terms.hardware_id, Kind.PROPERTY, hardware_id),
            *self._of_profile(profile),
            Instance(terms.asset, Kind.RELATIONSHIP, old.asset_id, extra={"objectType": _one_or_many(old.asset_types)}),
            Instance(terms.category, Kind.PROPERTY, ["sensor"]),
            Instance(terms.replaces, Kind.RELATIONSHIP, old.entity_id),
            *[Instance(one.name, one.kind, one.value, "", None, one.unit_code) for one in inherited],
            *described,
        )
        leading_on = (
            Instance(terms.standing, Kind.PROPERTY, Standing.REPLACED.value),
            Instance(terms.replaced_by, Kind.RELATIONSHIP, device_id(hardware_id)),
        )
        return [
            Change(device_id(hardware_id), Mode.CREATE, instances, (terms.device,)),
            Change(old.entity_id, Mode.MERGE, leading_on),
        ]

    def record_of(self, device: Device, entity: Entity) -> DeviceRecord:
        terms = self._terms
        location = entity.find(terms.location)
        return DeviceRecord(
            hardware_id=device.hardware_id,
            profile=device.profile.id,
            entity_id=device.asset_id,
            name=device.name,
            entity_type=self._compact(device.asset_types[0]),
            location=location.value if location is not None else None,
            technology="" if device.technology is Technology.UNKNOWN else device.technology.value,
            groups=device.groups,
            tags=device.tags,
            expected_interval_s=device.expected_interval_s,
            serial_number=text_of(entity, terms.serial_number),
            manufacturer=text_of(entity, terms.manufacturer),
            model=text_of(entity, terms.model),
        )

    def _of_profile(self, profile: DeviceProfile) -> tuple[Instance, Instance]:
        observed = [self._compact(name) for name in profile.fields.names]
        return (
            Instance(self._terms.profile, Kind.PROPERTY, profile.id),
            Instance(self._terms.controlled_property, Kind.PROPERTY, observed),
        )

    def _asset(self, entity_id: str, asset_type: Iri) -> Instance:
        return Instance(self._terms.asset, Kind.RELATIONSHIP, entity_id, extra={"objectType": asset_type})

    def _moved(self, device: Device, update: DeviceUpdate, profile: DeviceProfile) -> Change:
        entity_id = device.asset_id if update.entity_id is UNSET else update.entity_id
        check_entity_id(entity_id)
        if update.entity_type is not UNSET and update.entity_type:
            asset_type = self._expand(update.entity_type)
        else:
            asset_type = device.asset_types[0] if profile is device.profile else profile.entity_type
        return Change(entity_id, Mode.UPSERT_UPDATE, (), (asset_type,))

    def _shared(self, name: str, location: dict[str, Json] | None) -> list[Instance]:
        instances = self._words("name", name)
        if location is not None:
            instances.append(Instance(self._terms.location, Kind.GEO_PROPERTY, location))
        return instances

    def _described(self, record: DeviceRecord) -> list[Instance]:
        return [one for name in _WORDS if name != "name" for one in self._words(name, getattr(record, name))]

    def _name_of(self, field: str) -> Iri:
        terms = self._terms
        name: Iri = terms.expected_interval if field == "expected_interval_s" else getattr(terms, field)
        return name

    def _words(self, field: str, value: Json) -> list[Instance]:
        """Nothing for what is empty."""
        if not value:
            return []
        checked, unit_code = _WORDS[field](value), SECONDS if field == "expected_interval_s" else ""
        return [Instance(self._name_of(field), Kind.PROPERTY, checked, "", None, unit_code)]


def check_hardware_id(text: str) -> str:
    """As plain_hardware_id. Raises BadRequestData."""
    hardware_id = plain_hardware_id(text)
    if not HARDWARE_ID.fullmatch(hardware_id):
        raise BadRequestData(
            f"{text!r} is no hardware identifier: write the DevEUI, IMEI or serial number,"
            " 4 to 64 letters, digits, dots, dashes and underscores."
        )
    return hardware_id


def check_entity_id(text: str) -> None:
    if ":" not in text or any(character.isspace() for character in text):
        raise BadRequestData(f"{text!r} is no entity id: write a URI such as urn:ngsi-ld:WasteContainer:1.")


def check_technology(value: Json) -> Json:
    known = [one.value for one in Technology]
    if value not in known:
        raise BadRequestData(f"{value!r} is no technology: there are {', '.join(known)}.")
    return value


def check_interval(value: Json) -> Json:
    if not isinstance(value, int | float) or not math.isfinite(value) or not 0 < value <= LONGEST_INTERVAL_S:
        raise BadRequestData(f"{value!r} is no interval: write seconds, at most {LONGEST_INTERVAL_S:.0f}.")
    return float(value)


def check_words(value: Json) -> Json:
    """Groups or tags, each once, in the order given."""
    words = list(dict.fromkeys(str(one).strip() for one in value)) if isinstance(value, Sequence) else []
    if len(words) > MOST_WORDS or any(not 0 < len(word) <= LONGEST_WORD for word in words):
        raise BadRequestData(f"At most {MOST_WORDS} groups or tags, each of 1 to {LONGEST_WORD} characters.")
    return words


def _check_text(value: Json) -> Json:
    text = str(value).strip()
    if not text or len(text) > 256:
        raise BadRequestData("A name, maker, model or serial number has 1 to 256 characters.")
    return text


_WORDS: Mapping[str, Callable[[Json], Json]] = {
    "name": _check_text,
    "technology": check_technology,
    "groups": check_words,
    "tags": check_words,
    "expected_interval_s": check_interval,
    "serial_number": _check_text,
    "manufacturer": _check_text,
    "model": _check_text,
}


def _one_or_many(types: Iterable[Iri]) -> Json:
    told = list(types)
    return told[0] if len(told) == 1 else told


def text_of(entity: Entity, name: Iri) -> str:
    instance = entity.find(name)
    return instance.value if instance is not None and isinstance(instance.value, str) else ""


def words_of(entity: Entity, name: Iri) -> tuple[str, ...]:
    """Anybody may write a Device entity: one word, several, or none."""
    instance = entity.find(name)
    value = None if instance is None else instance.value
    return tuple(one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str) and one)


def number_of(entity: Entity, name: Iri) -> float:
    instance = entity.find(name)
    value = None if instance is None else instance.value
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0

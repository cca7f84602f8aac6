"""A local checkout of The Things Network's device repository (github.com/TheThingsNetwork/lorawan-devices).

`vendor/index.yaml` lists the vendors, `vendor/<vendor>/index.yaml` its devices; a device's firmware versions name a
codec for each region, whose file names the scripts and gives examples.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from parvis.fleet.codecs.examples import CodecExample
from parvis.fleet.codecs.program import Routine
from parvis.fleet.profiles.imports.yaml12 import UnreadableFile, read_yaml
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError

_PARTS = {
    "uplinkDecoder": Routine.DECODE_UPLINK,
    "downlinkEncoder": Routine.ENCODE_DOWNLINK,
    "downlinkDecoder": Routine.DECODE_DOWNLINK,
}


class NoRepository(ParvisError):
    type_uri = PARVIS_ERRORS + "no-device-repository"
    title = "There is no device repository"
    status = 400


class Script(msgspec.Struct, frozen=True):
    path: Path
    examples: tuple[CodecExample, ...]


class RepositoryDevice(msgspec.Struct, frozen=True):
    id: str
    name: str
    description: str = ""
    sensors: tuple[str, ...] = ()
    battery: str = ""


class RepositoryCodec(msgspec.Struct, frozen=True):
    """A codec with the devices of its vendor that it serves."""

    vendor: str
    id: str
    devices: tuple[RepositoryDevice, ...]
    scripts: dict[Routine, Script]

    @property
    def examples(self) -> Iterator[CodecExample]:
        for script in self.scripts.values():
            yield from script.examples


class RepositoryVendor(msgspec.Struct, frozen=True):
    id: str
    name: str
    codecs: tuple[RepositoryCodec, ...]
    unreadable: tuple[UnreadableFile, ...]


class DeviceRepository:
    def __init__(self, checkout: Path) -> None:
        """`checkout` is the repository or its folder `vendor`. Raises NoRepository."""
        folder = checkout / "vendor"
        self._folder = folder if folder.is_dir() else checkout
        if not self.list_vendors():
            raise NoRepository(
                f"{checkout} holds no vendor/*/*.yaml: give a checkout of github.com/TheThingsNetwork/lorawan-devices."
            )

    def list_vendors(self) -> list[str]:
        """Those with a folder, as some are in the index alone."""
        return sorted({path.parent.name for path in self._folder.glob("*/*.yaml")})

    def read_vendor(self, vendor: str) -> RepositoryVendor:
        """Raises NoRepository: there is no such vendor."""
        if vendor not in self.list_vendors():
            raise NoRepository(f"The repository has no vendor {vendor!r}.")
        return _VendorReader(self._folder / vendor, self._name(vendor)).read()

    def _name(self, vendor: str) -> str:
        try:
            listed = read_yaml(self._folder / "index.yaml").get("vendors")
        except UnreadableFile:
            return vendor
        return next((_text(one, "name") for one in _mappings(listed) if one.get("id") == vendor), "") or vendor


class _VendorReader:
    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._unreadable: list[UnreadableFile] = []

    def read(self) -> RepositoryVendor:
        of_codec: dict[str, dict[str, RepositoryDevice]] = {}
        for device_id in self._device_ids():
            content = self._find(device_id)
            device = _device(device_id, content)
            for codec_id in _codec_ids(content):
                of_codec.setdefault(codec_id, {})[device_id] = device
        codecs = [self._codec(codec_id, tuple(devices.values())) for codec_id, devices in sorted(of_codec.items())]
        return RepositoryVendor(self._folder.name, self._name, tuple(codecs), tuple(self._unreadable))

    def _device_ids(self) -> list[str]:
        """By the vendor's index; in a part of the repository that lacks it, whatever may be a device."""
        if (self._folder / "index.yaml").is_file():
            return _texts(self._find("index").get("endDevices"))
        return sorted(path.stem for path in self._folder.glob("*.yaml"))

    def _find(self, name: str) -> dict[str, Any]:
        """Empty where the file cannot be read, which is kept."""
        path = self._folder / f"{name}.yaml"
        try:
            if not path.resolve().is_relative_to(self._folder.resolve()):
                raise UnreadableFile(path, "lies elsewhere")
            return read_yaml(path)
        except UnreadableFile as error:
            self._unreadable.append(error)
            return {}

    def _codec(self, codec_id: str, devices: tuple[RepositoryDevice, ...]) -> RepositoryCodec:
        content = self._find(codec_id)
        scripts: dict[Routine, Script] = {}
        for member, routine in _PARTS.items():
            part = content.get(member)
            if not isinstance(part, dict) or not _text(part, "fileName"):
                continue
            path = self._folder / _text(part, "fileName")
            if path.resolve().is_relative_to(self._folder.resolve()):
                scripts[routine] = Script(path, tuple(_examples(routine, part.get("examples"))))
            else:
                self._unreadable.append(UnreadableFile(path, "lies elsewhere"))
        return RepositoryCodec(self._folder.name, codec_id, devices, scripts)


def _examples(routine: Routine, listed: Any) -> Iterator[CodecExample]:
    for number, one in enumerate(_mappings(listed), 1):
        given, expected = one.get("input"), one.get("output")
        if not isinstance(given, dict):
            continue
        description = _text(one, "description")
        yield CodecExample(routine, number, description, given, expected)
        normalized = one.get("normalizedOutput")
        if normalized is not None and routine is Routine.DECODE_UPLINK and isinstance(expected, dict):
            yield CodecExample(Routine.NORMALIZE_UPLINK, number, description, expected, normalized)


def _device(device_id: str, content: dict[str, Any]) -> RepositoryDevice:
    battery = content.get("battery")
    return RepositoryDevice(
        device_id,
        _text(content, "name") or device_id,
        " ".join(_text(content, "description").split()),
        tuple(_texts(content.get("sensors"))),
        _text(battery, "type") if isinstance(battery, dict) else "",
    )


def _codec_ids(device: dict[str, Any]) -> set[str]:
    profiles = [
        profile
        for version in _mappings(device.get("firmwareVersions"))
        if isinstance(version.get("profiles"), dict)
        for profile in _mappings(list(version["profiles"].values()))
    ]
    return {_text(profile, "codec") for profile in profiles} - {""}


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value if isinstance(one, str | int)] if isinstance(value, list) else []


def _text(value: dict[str, Any], member: str) -> str:
    found = value.get(member)
    return str(found) if isinstance(found, str | int | float) else ""

"""Device profiles: how frames of one kind of device are read, and what of the territory they tell.

A profile is a folder `<id>/` with `profile.toml` and its codec.
"""

import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from parvis.broker.model.entity import Iri
from parvis.fleet.codecs import Codec, CodecFailure, InvalidCodec
from parvis.fleet.mapping import AttributeRule, FieldMap, MappingFailure
from parvis.fleet.uplink import Uplink
from parvis.kernel.errors import PARVIS_ERRORS, BadRequestData, ParvisError

PACKAGED_PROFILES = Path(__file__).parent / "profiles"
PROFILE_FILE = "profile.toml"
DEVICE_TERMS = ("batteryLevel",)
"""Attributes that a frame may carry of the device itself rather than of what it observes."""


class InvalidProfile(ParvisError):
    type_uri = PARVIS_ERRORS + "invalid-profile"
    title = "The device profile cannot be used"
    status = 400


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    name: str
    entity_type: str
    vendor: str = ""
    model: str = ""
    codec: str = "codec.js"


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"payload": "bytes"}):
    f_port: int
    payload: str
    data: dict[str, Any]


class ProfileDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    profile: Header
    attribute: tuple[AttributeRule, ...]
    example: tuple[Example, ...] = ()


class DeviceProfile:
    """A profile made ready: its codec runs and its terms are expanded."""

    def __init__(self, document: ProfileDocument, source: str, expand: Callable[[str], Iri]) -> None:
        """Raises InvalidCodec, or BadRequestData for a term that can be no name."""
        self.id = document.profile.id
        self.header = document.profile
        self.examples = document.example
        self.entity_type = expand(document.profile.entity_type)
        self.codec = Codec(source)
        self.fields = FieldMap(document.attribute, expand, frozenset(map(expand, DEVICE_TERMS)))


def load_profile(folder: Path, expand: Callable[[str], Iri]) -> DeviceProfile:
    """Raises InvalidProfile, which names the file and what is wrong with it."""
    path = folder / PROFILE_FILE
    try:
        document = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), ProfileDocument)
        if document.profile.id != folder.name:
            raise InvalidProfile(f"{path}: id {document.profile.id!r} is not the folder's name")
        source = (folder / document.profile.codec).read_text(encoding="utf-8")
        return DeviceProfile(document, source, expand)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidProfile(f"{path}: {error}") from error
    except (InvalidCodec, BadRequestData) as error:
        raise InvalidProfile(f"{path}: {error.detail}") from error


def load_profiles(roots: Iterable[Path], expand: Callable[[str], Iri]) -> dict[str, DeviceProfile]:
    """Every profile below the folders that exist, by id; a later folder wins. Their examples must hold.

    Raises:
        InvalidProfile: one of them cannot be used.
    """
    profiles: dict[str, DeviceProfile] = {}
    for root in roots:
        for path in sorted(root.glob(f"*/{PROFILE_FILE}")):
            profile = load_profile(path.parent, expand)
            failures = check_profile(profile)
            if failures:
                raise InvalidProfile(f"{path}: {'; '.join(failures)}")
            profiles[profile.id] = profile
    return profiles


def check_profile(profile: DeviceProfile) -> list[str]:
    """What is wrong with the profile's examples; nothing where all of them hold."""
    return [
        f"example {number}: {failure}"
        for number, example in enumerate(profile.examples, 1)
        if (failure := _check_example(profile, example))
    ]


def _check_example(profile: DeviceProfile, example: Example) -> str:
    try:
        payload = bytes.fromhex(example.payload)
    except ValueError:
        return f"{example.payload!r} is no hexadecimal"
    (result,) = profile.codec.decode([Uplink("", payload, example.f_port, 0, 0)])
    if isinstance(result, CodecFailure):
        return f"{result.fault.name}: {result.detail}"
    if result.data != example.data:
        return f"decoded {result.data}, expected {example.data}"
    try:
        profile.fields.map(result.data, 0)
    except MappingFailure as failure:
        return failure.detail
    return ""

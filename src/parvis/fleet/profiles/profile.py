"""Device profiles: how frames of one kind of device are read, and what of the territory they tell.

A profile is a folder `<id>/` with `profile.toml` and its codec; an encoder for downlinks may be a script of its own,
and further examples may lie in `examples.json`.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from parvis.broker.model.entity import Iri
from parvis.fleet.codecs.apart import CodecsApart
from parvis.fleet.codecs.codec import Codec, CodecFailure, CodecResult, Downlink, InvalidCodec
from parvis.fleet.codecs.examples import CodecExample, Verdict, try_example
from parvis.fleet.codecs.program import Routine
from parvis.fleet.model.clocks import ClockRule, RecordsRule
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.mapping import AttributeRule, FieldMap, MappingFailure
from parvis.kernel.errors import PARVIS_ERRORS, BadRequestData, ParvisError, ResourceNotFound

PACKAGED_PROFILES = Path(__file__).parent / "packaged"
PROFILE_FILE = "profile.toml"
CODEC_FILE = "codec.js"
ENCODER_FILE = "encoder.js"
EXAMPLES_FILE = "examples.json"
DEVICE_TERMS = ("batteryLevel",)
"""Attributes that a frame may carry of the device itself rather than of what it observes."""


READ_BY_ITS_WAY_IN = r"""
function decodeUplink() { return {data: {}, errors: ["the way in reads what such a device says"]}; }
function encodeDownlink(input) {
  const escaped = (one) => "\\u" + ("000" + one.charCodeAt(0).toString(16)).slice(-4);
  const text = JSON.stringify(input.data).replace(/[^ -~]/g, escaped);
  return {fPort: 1, bytes: Array.from(text, (one) => one.charCodeAt(0))};
}
"""
"""The codec of a profile that has none: of devices whose way in gives fields and takes commands as JSON, such as
Modbus."""


class InvalidProfile(ParvisError):
    type_uri = PARVIS_ERRORS + "invalid-profile"
    title = "The device profile cannot be used"
    status = 400


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`tenant` is who brought the profile, where the operator does not vouch for its codec. With `normalized`, what the
    codec's `normalizeUplink` makes of the decoded data is their member of that name. `names` are by language.
    """

    id: str
    name: str
    entity_type: str
    vendor: str = ""
    model: str = ""
    codec: str = CODEC_FILE
    encoder: str = ""
    normalized: bool = False
    tenant: str = ""
    names: dict[str, str] = {}

    def name_in(self, language: str) -> str:
        """`name` where it has none in that language."""
        return self.names.get(language) or self.name


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"payload": "bytes"}):
    f_port: int
    payload: str
    data: dict[str, Any]


class Expectations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[expect]`: a frame each `interval_s` seconds (0: learnt); the battery counts as empty at `battery_empty`."""

    interval_s: float = 0.0
    battery_empty: float = 0.05
    battery_low: float = 0.2


class ProfileDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    profile: Header
    attribute: tuple[AttributeRule, ...]
    clock: ClockRule = ClockRule()
    records: RecordsRule | None = None
    expect: Expectations = Expectations()
    example: tuple[Example, ...] = ()


class _FurtherExample(msgspec.Struct, frozen=True):
    """One of `examples.json`."""

    routine: Routine
    input: dict[str, Any]
    output: Any
    description: str = ""


class Scripts(msgspec.Struct, frozen=True):
    """A profile's codec, and what else lies beside it."""

    codec: str
    encoder: str = ""
    examples: tuple[CodecExample, ...] = ()


WhereCodecsRun = Callable[[Header], CodecsApart | None]
"""None: in this process."""


def in_process(_header: Header) -> None:
    return None


def where_codecs_run(which: str, apart: CodecsApart) -> WhereCodecsRun:
    """`which` is the setting fleet.codecs_apart."""
    if which == "none":
        return in_process
    return lambda header: apart if which == "all" or header.tenant else None


class DeviceProfile:
    """A profile made ready: its codec runs and its terms are expanded."""

    def __init__(
        self,
        document: ProfileDocument,
        scripts: Scripts,
        expand: Callable[[str], Iri],
        apart: CodecsApart | None = None,
    ) -> None:
        """With `apart` its codec runs there. Raises InvalidCodec, or BadRequestData for a term that can be no name."""
        self.folder = Path()
        self.where: WhereCodecsRun = in_process
        self.id = document.profile.id
        self.header = document.profile
        self.examples = document.example
        self.clock = document.clock
        self.records = document.records
        self.expect = document.expect
        self.entity_type = expand(document.profile.entity_type)
        self.further_examples = scripts.examples
        self._scripts = scripts
        self._apart = apart
        self.codec = None if apart else Codec(scripts.codec, normalizes=document.profile.normalized)
        self.encoder = self.codec
        if scripts.encoder and apart is None:
            self.encoder = Codec(scripts.encoder, needs=None)
        self.rules = document.attribute
        self.fields = FieldMap(document.attribute, expand, frozenset(map(expand, DEVICE_TERMS)))

    def take_over(self, fresh: "DeviceProfile", folder: Path) -> None:
        """Be as `fresh` from now on, for all devices of this profile; it lies in `folder`."""
        vars(self).update(vars(fresh))
        self.folder = folder

    def is_for(self, tenant: str) -> bool:
        """Whether its devices may use the profile: what a tenant brought is for that one alone."""
        return self.header.tenant in ("", tenant)

    def new_codec(self) -> Codec:
        """One more of the same, in a context of its own."""
        return Codec(self._scripts.codec, normalizes=self.header.normalized)

    async def decode(self, frames: Sequence[Uplink]) -> list[CodecResult]:
        """One result for each frame, in order."""
        if self.codec is not None:
            return self.codec.decode(frames)
        assert self._apart is not None
        header = self.header
        return await self._apart.decode(header.tenant, self._scripts.codec, frames, normalizes=header.normalized)

    async def encode_downlink(self, data: Mapping[str, Any]) -> Downlink | CodecFailure:
        """The frame that tells a device of this kind `data`, in the terms of its codec."""
        if self.encoder is not None:
            return self.encoder.encode_downlink(data)
        assert self._apart is not None
        source = self._scripts.encoder or self._scripts.codec
        return await self._apart.encode_downlink(self.header.tenant, source, data)

    @property
    def has_encoder(self) -> bool:
        """Whether frames for the device can be made; of a codec that runs apart that is found out when one is."""
        return self.encoder is None or self.encoder.has(Routine.ENCODE_DOWNLINK)


def load_profile(folder: Path, expand: Callable[[str], Iri], where: WhereCodecsRun = in_process) -> DeviceProfile:
    """Raises InvalidProfile, which names the file and what is wrong with it."""
    path = folder / PROFILE_FILE
    try:
        document = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), ProfileDocument)
        if document.profile.id != folder.name:
            raise InvalidProfile(f"{path}: id {document.profile.id!r} is not the folder's name")
        profile = DeviceProfile(document, _read_scripts(folder, document.profile), expand, where(document.profile))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        raise InvalidProfile(f"{path}: {error}") from error
    except (InvalidCodec, BadRequestData) as error:
        raise InvalidProfile(f"{path}: {error.detail}") from error
    profile.folder, profile.where = folder, where
    return profile


def _read_scripts(folder: Path, header: Header) -> Scripts:
    codec = (folder / header.codec).read_text(encoding="utf-8") if header.codec else READ_BY_ITS_WAY_IN
    encoder = (folder / header.encoder).read_text(encoding="utf-8") if header.encoder else ""
    path = folder / EXAMPLES_FILE
    if not path.exists():
        return Scripts(codec, encoder)
    listed = msgspec.json.decode(path.read_bytes(), type=tuple[_FurtherExample, ...])
    examples = (
        CodecExample(one.routine, number, one.description, one.input, one.output)
        for number, one in enumerate(listed, 1)
    )
    return Scripts(codec, encoder, tuple(examples))


def load_profiles(
    roots: Iterable[Path],
    expand: Callable[[str], Iri],
    where: WhereCodecsRun = in_process,
    *,
    is_thorough: bool = False,
) -> dict[str, DeviceProfile]:
    """Every profile below the folders that exist, by id; a later folder wins. Their examples must hold.

    Further examples, which came with a codec and held when it was imported, are run where `is_thorough`: what was
    imported by the hundred is not tried at each start.

    Raises:
        InvalidProfile: one of them cannot be used.
    """
    profiles: dict[str, DeviceProfile] = {}
    for root in roots:
        for path in sorted(root.glob(f"*/{PROFILE_FILE}")):
            profile = load_profile(path.parent, expand, where)
            failures = check_profile(profile) if is_thorough else check_own_examples(profile)
            if failures:
                raise InvalidProfile(f"{path}: {'; '.join(failures)}")
            profiles[profile.id] = profile
    return profiles


def get_profile(profiles: Mapping[str, DeviceProfile], profile_id: str) -> DeviceProfile:
    """Raises ResourceNotFound."""
    profile = profiles.get(profile_id)
    if profile is None:
        raise ResourceNotFound(f"There is no device profile {profile_id!r}.")
    return profile


def check_profile(profile: DeviceProfile) -> list[str]:
    """What is wrong with the profile's examples; nothing where all of them hold, or where its codec runs apart."""
    codec, encoder = profile.codec, profile.encoder
    if codec is None or encoder is None:
        return []
    faults = check_own_examples(profile)
    for further in profile.further_examples:
        trial = try_example(codec if codec.has(further.routine) else encoder, further)
        if trial.verdict is not Verdict.PASSED:
            faults.append(f"{EXAMPLES_FILE} {further.number}: {trial.verdict.value}: {trial.detail}")
    for one in {codec, encoder}:
        one.release()
    return faults


def check_own_examples(profile: DeviceProfile) -> list[str]:
    """What is wrong with the examples of `profile.toml`."""
    codec = profile.codec
    if codec is None:
        return []
    faults = [
        f"example {number}: {failure}"
        for number, example in enumerate(profile.examples, 1)
        if (failure := _check_example(profile, codec, example))
    ]
    codec.release()
    return faults


def _check_example(profile: DeviceProfile, codec: Codec, example: Example) -> str:
    try:
        payload = bytes.fromhex(example.payload)
    except ValueError:
        return f"{example.payload!r} is no hexadecimal"
    (result,) = codec.decode([Uplink("", payload, example.f_port, 0, 0)])
    if isinstance(result, CodecFailure):
        return f"{result.fault.name}: {result.detail}"
    if result.data != example.data:
        return f"decoded {result.data}, expected {example.data}"
    try:
        profile.fields.map(result.data, 0)
    except MappingFailure as failure:
        return failure.detail
    return ""

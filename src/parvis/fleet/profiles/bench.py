"""The codec bench: a frame through a profile's codec and mapping, before either is trusted with frames that count."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from parvis.access.model import EVERY_TENANT
from parvis.broker.model.entity import Instance, Iri
from parvis.fleet.codecs.codec import CodecFailure, CodecResult
from parvis.fleet.codecs.program import Routine
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.mapping import AttributeRule, FieldMap, MappingFailure
from parvis.fleet.profiles.profile import (
    DEVICE_TERMS,
    EXAMPLES_FILE,
    PROFILE_FILE,
    DeviceProfile,
    InvalidProfile,
    check_profile,
    get_profile,
    load_profile,
)
from parvis.fleet.profiles.text import with_rules
from parvis.kernel.errors import BadRequestData, Forbidden
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.time import Clock, format_instant, system_clock

MOST_EXAMPLES = 200
LONGEST_FRAME_BYTES = 4096
_LONGEST_DESCRIPTION = 200


class BenchRun(msgspec.Struct, frozen=True):
    """What became of a frame. `problem` says why its data could not be mapped."""

    result: CodecResult
    asset: tuple[Instance, ...] = ()
    device: tuple[Instance, ...] = ()
    impossible: tuple[Instance, ...] = ()
    problem: str = ""


class CodecBench:
    def __init__(
        self,
        profiles: Mapping[str, DeviceProfile],
        folder: Path,
        expand: Callable[[str], Iri],
        clock: Clock = system_clock,
        may_change: Callable[[Caller], bool] | None = None,
    ) -> None:
        """What is kept goes below `folder`, where an installation or a member has its own profiles, and into those in
        use."""
        self._may_change = may_change or may_change_profiles
        self._profiles = profiles
        self._folder = folder
        self._expand = expand
        self._clock = clock

    async def run(
        self, profile_id: str, f_port: int, payload: bytes, rules: Sequence[AttributeRule] | None = None
    ) -> BenchRun:
        """A frame of such a device, mapped by the profile's rules or by `rules`.

        Raises ResourceNotFound, or BadRequestData for a frame or a rule that cannot be one.
        """
        profile = get_profile(self._profiles, profile_id)
        at = self._clock()
        result = await self._decode(profile, Uplink("", _checked(payload), f_port, 0, at))
        if isinstance(result, CodecFailure):
            return BenchRun(result)
        fields = profile.fields if rules is None else self._map_of(rules)
        try:
            mapped = fields.map(result.data, at)
        except MappingFailure as failure:
            return BenchRun(result, problem=failure.detail)
        return BenchRun(result, tuple(mapped.asset), tuple(mapped.device), tuple(mapped.impossible))

    def keep_example(self, caller: Caller, profile_id: str, f_port: int, payload: bytes, description: str = "") -> None:
        """From now on the profile must decode this frame as it does today.

        Raises ResourceNotFound, Forbidden, or BadRequestData where the frame is not decoded.
        """
        self._check(caller)
        profile = get_profile(self._profiles, profile_id)
        if profile.codec is None:
            raise BadRequestData("Examples of a codec that runs in a process of its own are not held at each start.")
        given = {"fPort": f_port, "bytes": list(_checked(payload)), "recvTime": format_instant(self._clock())}
        answer = profile.new_codec().call(Routine.DECODE_UPLINK, given)
        if isinstance(answer, CodecFailure):
            raise BadRequestData(f"Only a frame that is decoded can be an example: {answer.detail}")
        output = json.loads(answer)
        if output.get("errors"):
            raise BadRequestData(f"Only a frame that is decoded can be an example: {output['errors']}")
        example = {
            "routine": Routine.DECODE_UPLINK.value,
            "description": description[:_LONGEST_DESCRIPTION],
            "input": given,
            "output": output,
        }
        self._rewrite(profile, lambda made: _add_example(made / EXAMPLES_FILE, example))

    def keep_rules(self, caller: Caller, profile_id: str, rules: Sequence[AttributeRule]) -> None:
        """Map by these rules from the next frame on; other processes do so from their next start.

        Raises ResourceNotFound, Forbidden, or InvalidProfile where an example does not hold with them.
        """
        self._check(caller)

        def change(made: Path) -> None:
            path = made / PROFILE_FILE
            path.write_text(with_rules(path.read_text(encoding="utf-8"), rules), encoding="utf-8")

        self._rewrite(get_profile(self._profiles, profile_id), change)

    def _check(self, caller: Caller) -> None:
        if not self._may_change(caller):
            raise Forbidden(f"{caller.subject} may not change device profiles.")

    async def _decode(self, profile: DeviceProfile, frame: Uplink) -> CodecResult:
        """In a context of its own: what a frame does to the codec here, frames that count do not feel."""
        if profile.codec is None:
            (result,) = await profile.decode([frame])
        else:
            (result,) = profile.new_codec().decode([frame])
        return result

    def _map_of(self, rules: Sequence[AttributeRule]) -> FieldMap:
        return FieldMap(rules, self._expand, frozenset(map(self._expand, DEVICE_TERMS)))

    def _rewrite(self, profile: DeviceProfile, change: Callable[[Path], None]) -> None:
        """A changed copy in place of the profile, once it holds; one of the package stays, and is covered by it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._folder.parent, prefix=".profiles-") as beside:
            made = Path(beside) / profile.id
            copytree(profile.folder, made)
            change(made)
            fresh = load_profile(made, self._expand, profile.where)
            if faults := check_profile(fresh):
                raise InvalidProfile(faults[0])
            target = self._folder / profile.id
            if target.exists():
                target.rename(Path(beside) / ".before")
            made.rename(target)
        profile.take_over(fresh, target)


def _checked(payload: bytes) -> bytes:
    if not 0 < len(payload) <= LONGEST_FRAME_BYTES:
        raise BadRequestData(f"A frame has 1 to {LONGEST_FRAME_BYTES} bytes, not {len(payload)}.")
    return payload


def _add_example(path: Path, example: dict[str, Any]) -> None:
    listed = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    if len(listed) >= MOST_EXAMPLES:
        raise BadRequestData(f"The profile has {MOST_EXAMPLES} examples already.")
    text = json.dumps([*listed, example], ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def may_change_profiles(caller: Caller) -> bool:
    """All tenants decode by the same profiles: who administers the installation changes them."""
    return caller.may(Right.ADMINISTER) and caller.tenant in (DEFAULT_TENANT, EVERY_TENANT)

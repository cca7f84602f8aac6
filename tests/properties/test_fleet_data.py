"""Whatever is read out of a frame is placed, or refused with a reason: no crash, no time in the future."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from parvis.broker.jsonld.contexts import Contexts
from parvis.fleet.devices.device import Device, SeenFrames
from parvis.fleet.frames.placing import Placing
from parvis.fleet.frames.work import Work
from parvis.fleet.model.clocks import AHEAD_ALLOWED, RecordsRule
from parvis.fleet.model.uplink import NO_COUNTER, Uplink
from parvis.fleet.model.vitals import Statistics, Vitals
from parvis.fleet.profiles.profile import DeviceProfile, ProfileDocument, Scripts
from parvis.kernel.time import FIRST_INSTANT, SECOND

EXPAND = Contexts().parvis.expand
NOON = 1_790_000_000 * SECOND
DOCUMENT = msgspec.convert(
    {
        "profile": {"id": "any", "name": "any", "entity_type": "Device", "codec": ""},
        "clock": {"field": "clock.sent"},
        "records": {"path": "history", "time": "at"},
        "attribute": [
            {"field": "a", "name": "temperature", "unit_code": "CEL"},
            {"field": "b.c", "name": "relativeHumidity", "scale": 0.01},
            {"field": "p", "name": "location", "kind": "GeoProperty"},
        ],
    },
    ProfileDocument,
)
AGED = msgspec.structs.replace(DOCUMENT, records=RecordsRule("history", "at", "age_s"))
PROFILES = [
    DeviceProfile(one, Scripts("function decodeUplink() { return {data: {}}; }"), EXPAND) for one in (DOCUMENT, AGED)
]
SCALARS = st.just(10**400) | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
JSON = st.recursive(SCALARS, lambda of: st.lists(of, max_size=4) | st.dictionaries(st.text(max_size=4), of, max_size=4))
TIMES = st.integers(0, 2_000_000_000) | st.floats(0, 1e13)
SOUND = {"a": st.floats(allow_nan=False), "b": st.fixed_dictionaries({"c": st.integers(-(2**60), 2**60)})}
SOUND_RECORDS = st.lists(st.fixed_dictionaries({"at": TIMES, "a": SOUND["a"]}), max_size=6)
RECORDS = st.lists(st.fixed_dictionaries({"at": SCALARS, "a": JSON}) | JSON, max_size=6) | JSON
ANY = st.fixed_dictionaries(
    {},
    optional={"a": JSON, "b": st.fixed_dictionaries({"c": JSON}) | JSON, "p": JSON, "history": RECORDS}
    | {"clock": st.fixed_dictionaries({"sent": SCALARS}) | JSON},
)
DATA = ANY | st.fixed_dictionaries(
    SOUND, optional={"history": SOUND_RECORDS, "clock": st.fixed_dictionaries({"sent": TIMES})}
)


@given(st.sampled_from(PROFILES), DATA, st.none() | st.integers(-(2**70), 2**70))
def test_any_data_is_placed_or_refused(profile: DeviceProfile, data: dict[str, Any], measured_at: int | None) -> None:
    device = Device("t", "h", "urn:d:1", "", profile, "urn:a:1", ("urn:T",), SeenFrames())
    frame = Uplink("h", b"", 1, NO_COUNTER, NOON, fields=data, measured_at=measured_at)
    work = Work(frame, device, data)
    Placing(EXPAND).map([work])
    assert (work.mapped is None) == (work.refused is not None)
    if work.mapped is None:
        return
    vitals = Vitals()
    vitals.note(frame, work.at, NOON, 0)
    for one in (*work.mapped.asset, *work.mapped.device):
        assert FIRST_INSTANT <= one.seen_at <= NOON + AHEAD_ALLOWED
        vitals.note_values([one])
    for one in work.mapped.impossible:
        vitals.note_impossible(one)
    kept = msgspec.json.encode(vitals.statistics(str))
    assert msgspec.json.decode(kept, type=Statistics).frames == 1

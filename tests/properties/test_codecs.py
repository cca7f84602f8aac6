"""The JavaScript engine holds for any payload and any result."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.fleet.codecs.codec import Codec, CodecFailure, CodecFault, Decoded
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.mapping import AttributeRule, FieldMap

ECHO = Codec("function decodeUplink(i) { return {data: {bytes: i.bytes, port: i.fPort, at: i.recvTime.getTime()}}; }")
FLAKY = Codec(
    """
    function decodeUplink(input) {
      switch (input.bytes[0] % 5) {
        case 0: throw new Error("zero");
        case 1: return 7;
        case 2: return {data: 0 / 0};
        case 3: return {data: {}, errors: ["three"]};
        default: return {data: {value: input.bytes[0]}};
      }
    }
    """
)
EXPECTED = {
    0: CodecFault.THREW,
    1: CodecFault.BAD_RESULT,
    2: CodecFault.BAD_RESULT,
    3: CodecFault.REPORTED_ERRORS,
}
uplinks = st.builds(
    lambda payload, port, milliseconds: Uplink("0" * 16, payload, port, 0, milliseconds * 1000),
    st.binary(max_size=242),
    st.integers(0, 255),
    st.integers(0, 4_000_000_000_000),
)


@given(st.lists(uplinks, max_size=5))
def test_every_byte_port_and_time_reaches_the_codec(frames: list[Uplink]) -> None:
    assert ECHO.decode(frames) == [
        Decoded({"bytes": list(one.payload), "port": one.f_port, "at": one.received_at // 1000}) for one in frames
    ]


@settings(deadline=None)
@given(st.lists(st.integers(0, 255), min_size=1, max_size=150))
def test_each_frame_has_its_own_fate_however_many_share_a_call(firsts: list[int]) -> None:
    results = FLAKY.decode([Uplink("0" * 16, bytes([first]), 1, 0, 0) for first in firsts])
    for first, result in zip(firsts, results, strict=True):
        if first % 5 == 4:
            assert result == Decoded({"value": first})
        else:
            assert isinstance(result, CodecFailure)
            assert result.fault is EXPECTED[first % 5]


@given(
    st.integers(-(10**6), 10**6),
    st.sampled_from([0.001, 0.01, 0.1, 0.5, 10, 1000]),
    st.sampled_from([-40, 0, 0.5, 273.15]),
)
def test_scaling_leaves_no_trace_of_binary_fractions(raw: int, scale: float, offset: float) -> None:
    rule = AttributeRule("v", "temperature", scale=scale, offset=offset)
    (instance,) = FieldMap([rule], lambda term: "urn:" + term, frozenset()).map({"v": raw}, 5).asset
    assert math.isclose(instance.value, raw * scale + offset, rel_tol=1e-9, abs_tol=1e-9)
    assert len(repr(instance.value).replace("-", "").replace(".", "").strip("0")) <= 14

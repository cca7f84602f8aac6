import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.fleet.devices.labels import Label, LabelKind, find_code, new_code, read_label
from parvis.kernel.errors import BadRequestData

JOIN, EUI = "70b3d57ed0000010", "0018b20000000101"
PLAIN_LORAWAN = Label(LabelKind.LORAWAN, EUI, join_eui=JOIN, vendor_id="000a", vendor_profile_id="f8be")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("LW:D0:70B3D57ED0000010:0018B20000000101:000AF8BE", PLAIN_LORAWAN),
        (
            "LW:D0:0000000000000000:34c5d0fa68ceffa5:FFFF0BEB:S241218QR10005",
            Label(
                LabelKind.LORAWAN,
                "34c5d0fa68ceffa5",
                join_eui="0" * 16,
                vendor_id="ffff",
                vendor_profile_id="0beb",
                serial_number="241218QR10005",
            ),
        ),
        (
            "LW:D0:70B3D57ED0000010:0018B20000000101:000AF8BE:OABC:SXYZ:PFOO:CAF2C",
            Label(
                LabelKind.LORAWAN,
                EUI,
                join_eui=JOIN,
                vendor_id="000a",
                vendor_profile_id="f8be",
                serial_number="XYZ",
                owner_token="ABC",
            ),
        ),
        (
            "URN:LW:DP:42FFFFFFFFFFFFFF:4242FFFFFFFFFFFF:42FFFF42:%V0102%S77",
            Label(
                LabelKind.LORAWAN,
                "4242ffffffffffff",
                join_eui="42ffffffffffffff",
                vendor_id="42ff",
                vendor_profile_id="ff42",
                serial_number="77",
                owner_token="0102",
            ),
        ),
        (
            "URN:DEV:LW:42FFFFFFFFFFFFFF_4242FFFFFFFFFFFF_42FFFF42_V0102",
            Label(
                LabelKind.LORAWAN,
                "4242ffffffffffff",
                join_eui="42ffffffffffffff",
                vendor_id="42ff",
                vendor_profile_id="ff42",
                owner_token="0102",
            ),
        ),
        ("00-18-B2-00-00-00-01-01", Label(LabelKind.PLAIN, EUI)),
        (" 0018 B200 0000 0101 ", Label(LabelKind.PLAIN, EUI)),
        ("861234567890123", Label(LabelKind.PLAIN, "861234567890123")),
        ("SN-2024.17", Label(LabelKind.PLAIN, "sn-2024.17")),
        ("https://maker.example/p?devEUI=0018B20000000101&x=1", Label(LabelKind.PLAIN, EUI)),
        ("PV-7K2M-Q9XA-0B1C", Label(LabelKind.CLAIM, claim_code="PV7K2MQ9XA0B1C")),
        ("https://town.example/new?code=PV-7K2M-Q9XA-0B1C", Label(LabelKind.CLAIM, claim_code="PV7K2MQ9XA0B1C")),
    ],
)  # fmt: skip
def test_a_label_says_which_device_it_is(text: str, label: Label) -> None:
    assert read_label(text) == label


@pytest.mark.parametrize(
    "text",
    ["", "x", "LW:D0:", "LW:D0:70B3:0018B20000000101:000AF8BE", "LW:D0:70B3D57ED0000010:00:000AF8BE", "URN:LW:DP:1",
     "URN:DEV:LW:", "https://maker.example/", "two words here", "a" * 600, "a\x00bcdef", "http://["],
)  # fmt: skip
def test_what_is_no_label_is_told(text: str) -> None:
    with pytest.raises(BadRequestData):
        read_label(text)


def test_a_code_is_the_same_however_it_is_typed() -> None:
    code = new_code()
    signs = find_code(code)
    assert signs is not None
    assert find_code(code.lower().replace("-", " ")) == signs
    assert find_code("pv-7k2m-q9xa-ob1c") == find_code("PV7K2MQ9XA0BIC") == "PV7K2MQ9XA0B1C"
    assert find_code("PV-7K2M-Q9XA") is None
    assert new_code() != new_code()


BEGINNINGS = st.sampled_from(["", "LW:D0:", "URN:LW:DP:", "URN:DEV:LW:", "https://a.example/?sn=", "PV-", "0018B200"])


@settings(max_examples=150, deadline=None)
@given(BEGINNINGS, st.text(max_size=40) | st.text("0123456789abcdefABCDEF:_%&=-?", max_size=80))
def test_whatever_a_label_says_it_is_read_or_refused(beginning: str, rest: str) -> None:
    try:
        label = read_label(beginning + rest)
    except BadRequestData:
        return
    assert label.hardware_id or label.claim_code

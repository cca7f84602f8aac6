"""RFC 6238's and RFC 4226's own vectors."""

import pytest

from parvis.access.identities.totp import code_of, find_step, key_uri, step_at
from parvis.kernel.time import SECOND

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_of_rfc_6238_appendix_b(at_s: int, code: str) -> None:
    assert code_of(SECRET, step_at(at_s * SECOND), digits=8) == code


def test_codes_of_rfc_4226_appendix_d() -> None:
    codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
    assert [code_of(SECRET, counter) for counter in range(10)] == codes


def test_a_telephones_clock_may_be_off_by_one_period() -> None:
    now = 1_000_000 * 30 * SECOND
    found = [find_step(SECRET, code_of(SECRET, 1_000_000 + drift), now) for drift in (-2, -1, 0, 1, 2)]
    assert found == [None, 999_999, 1_000_000, 1_000_001, None]
    assert find_step(SECRET, "", now) is None


def test_the_uri_holds_what_applications_read() -> None:
    uri = key_uri(SECRET, "Saint-Malo: mairie", "odile@mairie.example")
    assert uri == (
        "otpauth://totp/Saint-Malo%20%20mairie%3Aodile%40mairie.example"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Saint-Malo%20%20mairie"
    )

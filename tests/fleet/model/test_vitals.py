import pytest

from parvis.fleet.model.uplink import NO_COUNTER, Uplink
from parvis.fleet.model.vitals import Vitals
from parvis.kernel.time import DAY, HOUR, MINUTE, SECOND, Instant

NOON = 20_000 * DAY


def learnt_s(*times: Instant) -> float:
    vitals = Vitals()
    for at in times:
        vitals.note(Uplink("AB", b"", 0, NO_COUNTER, NOON + at), NOON + at, NOON + at, 0)
    return vitals.statistics(str).interval_s


@pytest.mark.parametrize(
    ("times", "interval_s"),
    [
        ([n * SECOND // 5 for n in range(40)], 0),
        ([n * 10 * SECOND for n in range(3)], 0),
        ([n * 10 * SECOND for n in range(12)], 10),
        ([0, HOUR], 3600),
        ([0, SECOND, HOUR, HOUR + SECOND, 2 * HOUR], 3600),
        ([n * SECOND for n in range(60)], 5),
    ],
)
def test_a_burst_teaches_no_interval(times: list[Instant], interval_s: float) -> None:
    assert learnt_s(*times) == pytest.approx(interval_s, abs=2)


def test_a_slow_device_is_known_by_two_frames() -> None:
    assert learnt_s(0, 15 * MINUTE) == 900

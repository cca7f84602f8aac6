"""Water meters of districts, public buildings and houses, and the leak that is to be found."""

from collections.abc import Callable

from parvis.demo import payloads as p
from parvis.demo.behaviour import DAY_ZERO, HOUSEHOLD_WATER, PUBLIC_WATER, Tally
from parvis.demo.clockwork import S_PER_DAY, battery_percent, chance, day_and_hour
from parvis.demo.devices.installation import Device

METERS_COUNT_FROM_S = DAY_ZERO * S_PER_DAY
LITRES_PER_HEAD_AND_DAY = 148
LEAK_CYCLE_DAYS, LEAK_DAYS = 21, 16
LEAKING_COMMUNE = "Plouvarec"
DISTRICT_LEAK_L_PER_H, HOUSE_LEAK_L_PER_H = 4200.0, 95.0


def leak_share(device: Device, time_s: float) -> float:
    """0 while tight, 1 while the one leak of the demonstration runs; it opens over half a day."""
    days = (time_s / S_PER_DAY) % LEAK_CYCLE_DAYS
    concerned = device.commune == LEAKING_COMMUNE and device.place == "district"
    return min(1.0, 2 * days) if concerned and days < LEAK_DAYS else 0.0


def _leaked_l(device: Device, time_s: float, l_per_h: float) -> float:
    """Litres lost since the epoch: the integral of `leak_share`."""
    cycles, days = divmod(time_s / S_PER_DAY, LEAK_CYCLE_DAYS)

    def integral(until: float) -> float:
        return until * until if until < 0.5 else until - 0.25

    if device.commune != LEAKING_COMMUNE or device.place != "district":
        return 0.0
    return (cycles * integral(LEAK_DAYS) + integral(min(days, LEAK_DAYS))) * 24 * l_per_h


def meter_sensor(device: Device, seed: int, key: int) -> Callable[[float], p.MeterReading]:
    district = device.place == "district"
    habit = HOUSEHOLD_WATER if district or device.place == "house" else PUBLIC_WATER
    tally = Tally(habit, seed, key, 0.08 if district else 0.45)
    heads = device.weight if district or device.place == "house" else device.weight * 6
    daily_l = heads * LITRES_PER_HEAD_AND_DAY * (1.0 if district else 2.1)
    running_tap = device.place == "school" and device.commune == "Penhervan"
    exponent = 1 if district else 0
    started_l = 50_000 * chance(seed, key, 3)

    def volume_l(time_s: float) -> float:
        seconds = time_s - METERS_COUNT_FROM_S
        steady = HOUSE_LEAK_L_PER_H if running_tap else daily_l * 0.05 / 24 if district else 0.0
        leak = _leaked_l(device, time_s, DISTRICT_LEAK_L_PER_H) - _leaked_l(
            device, METERS_COUNT_FROM_S, DISTRICT_LEAK_L_PER_H
        )
        return started_l + daily_l * tally.at(time_s) + steady * seconds / 3600 + leak

    def flow_l_per_h(time_s: float) -> float:
        return (volume_l(time_s) - volume_l(time_s - 600)) * 6

    def read(time_s: float) -> p.MeterReading:
        _, hour = day_and_hour(time_s)
        night_s = time_s - ((hour - 3.5) % 24) * 3600
        lowest = flow_l_per_h(night_s)
        pulse_l = 10**exponent
        leaking = running_tap or leak_share(device, time_s) > 0.9
        return p.MeterReading(
            pulses=int(volume_l(time_s) / pulse_l) & 0xFFFF_FFFF,
            pulses_per_hour=min(0xFFFF, round(flow_l_per_h(time_s) / pulse_l)),
            lowest_pulses_per_hour=min(0xFFFF, round(lowest / pulse_l)),
            weight_exponent=exponent,
            battery_mv=2800 + 8 * battery_percent(seed, key, time_s),
            alarms=p.MeterAlarm.LEAK if leaking else p.MeterAlarm.NONE,
        )

    return read

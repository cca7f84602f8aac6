"""What a record measures: the value information of EN 13757-3:2018, Annex C (tables C.1, C.4, C.5, C.10)."""

from collections.abc import Sequence
from enum import Enum, auto

import msgspec


class Meaning(Enum):
    NUMBER = auto()
    IDENTIFICATION = auto()  # digits that are a name: no number, and nothing to scale
    TIME = auto()  # date, or date and time, of the meter's own clock


class Quantity(msgspec.Struct, frozen=True):
    """`name` carries the unit; value = raw * 10 ** `exponent` * `factor`."""

    name: str
    exponent: int = 0
    meaning: Meaning = Meaning.NUMBER
    factor: float = 1.0


_SECONDS_OF = (1.0, 60.0, 3600.0, 86_400.0)

_PRIMARY_BY_EIGHT = {
    0b0000: ("energy_wh", -3),
    0b0001: ("energy_j", 0),
    0b0010: ("volume_m3", -6),
    0b0011: ("mass_kg", -3),
    0b0101: ("power_w", -3),
    0b0110: ("power_j_per_h", 0),
    0b0111: ("volume_flow_m3_per_h", -6),
    0b1000: ("volume_flow_m3_per_min", -7),
    0b1001: ("volume_flow_m3_per_s", -9),
    0b1010: ("mass_flow_kg_per_h", -3),
}
"""Bits 3 to 6 of the VIF; the lowest three are the exponent."""
_PRIMARY_BY_FOUR = {
    0b10110: ("flow_temperature_c", -3),
    0b10111: ("return_temperature_c", -3),
    0b11000: ("temperature_difference_k", -3),
    0b11001: ("external_temperature_c", -3),
    0b11010: ("pressure_bar", -3),
}
_DURATIONS = {
    0b01000: "on_time_s",
    0b01001: "operating_time_s",
    0b11100: "averaging_duration_s",
    0b11101: "actuality_duration_s",
}
_PRIMARY_SINGLE = {
    0x6C: Quantity("time", meaning=Meaning.TIME),
    0x6D: Quantity("time", meaning=Meaning.TIME),
    0x6E: Quantity("heat_cost_units"),
    0x78: Quantity("fabrication_number", meaning=Meaning.IDENTIFICATION),
    0x79: Quantity("identification", meaning=Meaning.IDENTIFICATION),
    0x7A: Quantity("bus_address", meaning=Meaning.IDENTIFICATION),
}


def find_primary(vif: int) -> Quantity | None:
    """Table C.1; `vif` without its extension bit."""
    if (single := _PRIMARY_SINGLE.get(vif)) is not None:
        return single
    if (named := _PRIMARY_BY_EIGHT.get(vif >> 3)) is not None:
        return Quantity(named[0], named[1] + (vif & 7))
    if (named := _PRIMARY_BY_FOUR.get(vif >> 2)) is not None:
        return Quantity(named[0], named[1] + (vif & 3))
    if (name := _DURATIONS.get(vif >> 2)) is not None:
        return Quantity(name, factor=_SECONDS_OF[vif & 3])
    return None


_FD_SINGLE = {
    0x08: Quantity("access_number"),
    0x09: Quantity("medium"),
    0x0A: Quantity("manufacturer", meaning=Meaning.IDENTIFICATION),
    0x0B: Quantity("parameter_set", meaning=Meaning.IDENTIFICATION),
    0x0C: Quantity("model", meaning=Meaning.IDENTIFICATION),
    0x0D: Quantity("hardware_version", meaning=Meaning.IDENTIFICATION),
    0x0E: Quantity("firmware_version", meaning=Meaning.IDENTIFICATION),
    0x0F: Quantity("software_version", meaning=Meaning.IDENTIFICATION),
    0x10: Quantity("customer_location", meaning=Meaning.IDENTIFICATION),
    0x11: Quantity("customer", meaning=Meaning.IDENTIFICATION),
    0x17: Quantity("error_flags"),
    0x1A: Quantity("digital_output"),
    0x1B: Quantity("digital_input"),
    0x3A: Quantity("count"),
    0x60: Quantity("reset_count"),
    0x61: Quantity("cumulation_count"),
    0x71: Quantity("reception_dbm"),
    0x74: Quantity("battery_life_days"),
}


def find_second_extension(vife: int) -> Quantity | None:
    """After VIF FDh, table C.4."""
    if (single := _FD_SINGLE.get(vife)) is not None:
        return single
    if vife >> 4 == 0b100:
        return Quantity("voltage_v", (vife & 15) - 9)
    if vife >> 4 == 0b101:
        return Quantity("current_a", (vife & 15) - 12)
    return None


_FB_BY_TWO = {
    0x00 >> 1: ("energy_wh", 5),  # 0.1 MWh and 1 MWh
    0x08 >> 1: ("energy_j", 8),  # 0.1 GJ and 1 GJ
    0x10 >> 1: ("volume_m3", 2),
    0x18 >> 1: ("mass_kg", 5),  # 100 t and 1000 t
    0x1A >> 1: ("relative_humidity_percent", -1),
    0x28 >> 1: ("power_w", 5),  # 0.1 MW and 1 MW
    0x30 >> 1: ("power_j_per_h", 8),
}


def find_first_extension(vife: int) -> Quantity | None:
    """After VIF FBh, table C.5."""
    if (named := _FB_BY_TWO.get(vife >> 1)) is not None:
        return Quantity(named[0], named[1] + (vife & 1))
    if vife >> 2 == 0x74 >> 2:
        return Quantity("cold_or_warm_limit_c", (vife & 3) - 3)
    return None


_DIRECTIONS = {0x3B: "forward", 0x3C: "backward"}
_PHASES = {0x01: "l1", 0x02: "l2", 0x03: "l3", 0x04: "n"}


class Qualified(msgspec.Struct, frozen=True):
    """What further VIFEs make of a quantity: `suffixes` keep apart what is not the plain quantity."""

    exponent: int = 0
    suffixes: tuple[str, ...] = ()


def qualify(vifes: Sequence[int]) -> Qualified:
    """The orthogonal VIFEs, table C.10; those not known here name themselves in a suffix."""
    exponent, suffixes = 0, []
    index = 0
    while index < len(vifes):
        code = vifes[index] & 0x7F
        index += 1
        if code >> 3 == 0x70 >> 3:
            exponent += (code & 7) - 6
        elif code == 0x7D:
            exponent += 3
        elif code in _DIRECTIONS:
            suffixes.append(_DIRECTIONS[code])
        elif code == 0x7C and index < len(vifes):
            second = vifes[index] & 0x7F
            index += 1
            suffixes.append(_PHASES.get(second, f"vife_fc_{second:02x}"))
        else:
            suffixes.append(f"vife_{code:02x}")
    return Qualified(exponent, tuple(suffixes))

"""Telegrams for tests.

WATER is the example of "The M-Bus: A Documentation", revision 4.8 (M-Bus User Group, 1997), chapter 6.6. The others are
made here, byte for byte after EN 13757-3:2018.
"""

from parvis.connectors.mbus.codec import encode_long

WATER = bytes.fromhex(
    "68 1f 1f 68 08 02 72 78 56 34 12 24 40 01 07 55 00 00 00 03 13 15 31 00 da 02 3b 13 01 8b 60 04 37 18 02 18 16"
)


def answer(
    records: str, *, address: int = 5, identification: str = "10203040", status: int = 0, config: int = 0
) -> bytes:
    """A variable data structure of a heat meter (medium 04h) of the maker ABC."""
    head = bytes.fromhex(identification)[::-1] + (0x0443).to_bytes(2, "little")
    head += bytes([7, 4, 1, status]) + config.to_bytes(2, "little")
    return encode_long(0x08, address, 0x72, head + bytes.fromhex(records))


HEAT = answer(
    "0c 06 56 34 12 00"  # energy 123,456 kWh (8 digits, 10^0 kWh = 10^3 Wh)
    "0c 14 21 43 65 00"  # volume 6543.21 m3
    "0b 2d 89 06 00"  # power 689 * 10^2 W
    "0b 3b 34 12 00"  # volume flow 1.234 m3/h
    "0a 5a 13 07"  # flow temperature 71.3 C
    "0a 5e 92 04"  # return temperature 49.2 C
    "0b 61 12 22 00"  # temperature difference 22.12 K
    "04 6d 1e 0b 51 39"  # 2026-09-17 11:30, the meter's own clock
    "4c 06 00 00 12 00"  # energy of storage 1: 120,000 kWh
    "42 6c 5f 3c"  # 2026-12-31, the day of storage 1
    "1b 2d 50 12 00"  # highest power 1250 * 10^2 W
    "0c 78 40 30 20 10"  # fabrication number 10203040
)
FIRST = answer("0c 06 56 34 12 00 1f")
FIRST_OF_6 = answer("0c 06 56 34 12 00 1f", address=6)
SECOND_OF_6 = answer("0b 2d 89 06 00", address=6)

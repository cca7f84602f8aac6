"""Symbols of UN/CEFACT unit codes, and which attributes are shares of one and read as per cent.

Source of the codes: UNECE Recommendation 20, "Codes for Units of Measure Used in International Trade", revision 17.
"""

from collections.abc import Mapping

SYMBOLS: Mapping[str, str] = {
    "C62": "",
    "P1": "%",
    "CEL": "°C",
    "KEL": "K",
    "MMT": "mm",
    "CMT": "cm",
    "MTR": "m",
    "KMT": "km",
    "MTK": "m²",
    "LTR": "L",
    "MTQ": "m³",
    "E32": "L/h",
    "L2": "L/min",
    "G51": "L/s",
    "MQH": "m³/h",
    "MQS": "m³/s",
    "MTS": "m/s",
    "D54": "W/m²",
    "KMH": "km/h",
    "DD": "°",
    "A97": "hPa",
    "BAR": "bar",
    "GQ": "µg/m³",
    "GP": "mg/m³",
    "59": "ppm",
    "LUX": "lx",
    "2N": "dB",
    "DBM": "dBm",
    "WTT": "W",
    "KWT": "kW",
    "WHR": "Wh",
    "KWH": "kWh",
    "MWH": "MWh",
    "VLT": "V",
    "AMP": "A",
    "HTZ": "Hz",
    "SEC": "s",
    "MIN": "min",
    "HUR": "h",
    "KGM": "kg",
    "TNE": "t",
}

SHARES_OF_ONE = frozenset(
    {"fillingLevel", "batteryLevel", "relativeHumidity", "occupancy", "soilMoistureVwc", "packetLossRate"}
)
"""Smart Data Models attributes between 0 and 1."""
_PER_CENT = "P1"


def whole_of(attribute: str, unit_code: str = "") -> float:
    """What all of it is, of what is a share; 0 of anything else."""
    if attribute in SHARES_OF_ONE:
        return 1.0
    return 100.0 if unit_code == _PER_CENT else 0.0


def symbol_of(unit_code: str) -> str:
    """The symbol, or the code itself where none is known."""
    return SYMBOLS.get(unit_code, unit_code)

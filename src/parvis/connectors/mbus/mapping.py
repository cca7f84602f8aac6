"""From the records of a meter to named fields."""

from collections.abc import Iterable

from parvis.connectors.mbus.codec import Function, Record, Telegram

_FUNCTIONS = {Function.MAXIMUM: "max", Function.MINIMUM: "min", Function.ERROR: "at_error"}
_POWER_LOW, _PERMANENT_ERROR, _TEMPORARY_ERROR = 0x04, 0x08, 0x10
"""Status byte, EN 13757-3 (table 9)."""

Field = float | int | str | bool


def map_fields(telegrams: Iterable[Telegram]) -> dict[str, Field]:
    """The values by name, such as `energy_wh`, `volume_m3_max_storage_1`, `energy_wh_tariff_2_unit_1`.

    The first of several records of one name keeps it; those after it are numbered from 2.
    """
    fields: dict[str, Field] = {}
    for telegram in telegrams:
        fields |= _status(telegram)
        for record in telegram.records:
            if record.value is not None:
                fields[_free(name_of(record), fields)] = record.value
    return fields


def name_of(record: Record) -> str:
    """What is not the present value of the whole meter says so."""
    parts = [record.quantity.name, *record.suffixes]
    if record.function in _FUNCTIONS:
        parts.append(_FUNCTIONS[record.function])
    for word, number in (("storage", record.storage), ("tariff", record.tariff), ("unit", record.subunit)):
        if number:
            parts.append(f"{word}_{number}")
    return "_".join(parts)


def _free(name: str, taken: dict[str, Field]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _status(telegram: Telegram) -> dict[str, Field]:
    return {
        "is_power_low": bool(telegram.status & _POWER_LOW),
        "has_permanent_error": bool(telegram.status & _PERMANENT_ERROR),
        "has_temporary_error": bool(telegram.status & _TEMPORARY_ERROR),
    }

"""What the label of a device says: QR codes of makers, Parvis' own claim codes, plain identifiers.

Of LoRaWAN devices: LoRa Alliance TR005 (`LW:D0:JoinEUI:DevEUI:ProfileID`, then optional fields that begin with O for
the owner's token, S serial number, P proprietary, C checksum), and its drafts 2 and 3 (`URN:LW:DP:...`,
`URN:DEV:LW:...`), which The Things Stack reads as well.
"""

import re
import secrets
from enum import Enum
from urllib.parse import parse_qsl

import msgspec

from parvis.fleet.devices.records import check_hardware_id
from parvis.kernel.errors import BadRequestData

LONGEST_LABEL = 512
CODE_BEGINS = "PV"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that reads as another sign."""
_CODE_SIGNS = 12
_READ_AS = str.maketrans("OIL", "011")
_EUI = re.compile("[0-9a-f]{16}")
_PROFILE = re.compile("[0-9a-f]{8}")
_CODE = re.compile(f"{CODE_BEGINS}[{_ALPHABET}]{{{_CODE_SIGNS}}}")
_SEPARATORS = re.compile(r"[\s:.-]")
_OF_DEVICE = ("deveui", "dev_eui", "eui", "imei", "sn", "serial", "id")


class LabelKind(Enum):
    LORAWAN = "lorawan"
    CLAIM = "claim"
    PLAIN = "plain"


class Label(msgspec.Struct, frozen=True):
    """`vendor_id` and `vendor_profile_id` are the LoRa Alliance's, four hexadecimal digits each."""

    kind: LabelKind
    hardware_id: str = ""
    claim_code: str = ""
    join_eui: str = ""
    vendor_id: str = ""
    vendor_profile_id: str = ""
    serial_number: str = ""
    owner_token: str = ""


def read_label(text: str) -> Label:
    """Raises BadRequestData."""
    said = text.strip()
    if not 0 < len(said) <= LONGEST_LABEL or not said.isprintable():
        raise BadRequestData("A label says an identifier, or has a QR code that does.")
    upper = said.upper()
    if upper.startswith("LW:D0:"):
        return _lorawan(said.split(":")[2:], said)
    if upper.startswith("URN:LW:DP:"):
        fields = said.split(":")[3:]
        return _lorawan([*fields[:3], *":".join(fields[3:]).split("%")], said)
    if upper.startswith("URN:DEV:LW:"):
        return _lorawan(said.split(":", 3)[3].split("_"), said)
    if upper.startswith(("HTTP://", "HTTPS://")):
        return _of_address(said)
    return _claim(said) or Label(LabelKind.PLAIN, check_hardware_id(said))


def new_code() -> str:
    signs = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_SIGNS))
    return "-".join((CODE_BEGINS, signs[:4], signs[4:8], signs[8:]))


def find_code(text: str) -> str | None:
    """A claim code as it is counted: without dashes, however somebody typed it. None for what is none."""
    signs = _SEPARATORS.sub("", text.strip().upper())
    code = CODE_BEGINS + signs.removeprefix(CODE_BEGINS).translate(_READ_AS)
    return code if signs.startswith(CODE_BEGINS) and _CODE.fullmatch(code) else None


def _claim(text: str) -> Label | None:
    code = find_code(text)
    return None if code is None else Label(LabelKind.CLAIM, claim_code=code)


def _lorawan(fields: list[str], said: str) -> Label:
    if len(fields) < 3:
        raise BadRequestData(f"{said!r} begins like the label of a LoRaWAN device, and ends too soon.")
    join_eui, dev_eui, profile = (field.lower() for field in fields[:3])
    if not (_EUI.fullmatch(join_eui) or not join_eui) or not _EUI.fullmatch(dev_eui):
        raise BadRequestData(f"{said!r} has no DevEUI of 16 hexadecimal digits.")
    if profile and not _PROFILE.fullmatch(profile):
        raise BadRequestData(f"{said!r} has no profile of 8 hexadecimal digits.")
    told = {field[0].upper(): field[1:] for field in reversed(fields[3:]) if field}
    return Label(
        LabelKind.LORAWAN,
        dev_eui,
        join_eui=join_eui,
        vendor_id=profile[:4],
        vendor_profile_id=profile[4:],
        serial_number=told.get("S", ""),
        owner_token=told.get("O", told.get("V", "")),
    )


def _of_address(said: str) -> Label:
    """Makers print addresses that name the device; Parvis' own lead to the page where it is claimed."""
    told = {name.casefold(): value for name, value in parse_qsl(said.partition("?")[2].partition("#")[0])}
    if (claim := _claim(told.get("code", ""))) is not None:
        return claim
    named = next((told[name] for name in _OF_DEVICE if name in told), None)
    if named is None:
        raise BadRequestData(f"{said!r} names no device.")
    return Label(LabelKind.PLAIN, check_hardware_id(named))

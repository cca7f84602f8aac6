"""What somebody fills in about a device, read and checked."""

import math
from typing import Any

import msgspec
from starlette.datastructures import FormData

from parvis.fleet.devices.labels import Label, LabelKind, read_label
from parvis.kernel.errors import PARVIS_ERRORS, AlreadyExists, BadRequestData, ParvisError, ResourceNotFound
from parvis.web.faults import explain_fault
from parvis.web.wording import Wording


class InvalidForm(BadRequestData):
    """`fault` is the last part of its sentence's key, `device_fault.…`."""

    type_uri = PARVIS_ERRORS + "invalid-form"
    title = "What was filled in cannot be used"

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


def explain_refusal(refused: ParvisError, t: Wording) -> tuple[str, str]:
    """Our sentences, and what another program has written beside."""
    if isinstance(refused, InvalidForm):
        return t(f"device_fault.{refused.fault}"), ""
    why = explain_fault(refused.detail, t)
    return f"{t(f'device_fault.{_general(refused)}')} {why.sentence}".strip(), why.detail


def _general(refused: ParvisError) -> str:
    if isinstance(refused, AlreadyExists):
        return "exists"
    return "not_there" if isinstance(refused, ResourceNotFound) else "refused"


def text_from(form: FormData, name: str) -> str:
    return str(form.get(name, "")).strip()


def words_from(form: FormData, name: str) -> tuple[str, ...]:
    """Separated by commas or semicolons."""
    return tuple(word for part in text_from(form, name).split(";") for one in part.split(",") if (word := one.strip()))


def number_from(form: FormData, name: str, fault: str) -> float | None:
    """None where nothing is written. Raises InvalidForm."""
    text = text_from(form, name).replace(",", ".").replace("\u2212", "-")
    try:
        number = float(text) if text else None
    except ValueError:
        number = math.nan
    if number is not None and not math.isfinite(number):
        raise InvalidForm(fault, f"{text[:40]!r} is no number.")
    return number


def place_from(form: FormData) -> dict[str, Any] | None:
    """A GeoJSON point, None where both fields are empty. Raises InvalidForm."""
    latitude, longitude = number_from(form, "latitude", "place"), number_from(form, "longitude", "place")
    if latitude is None and longitude is None:
        return None
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        raise InvalidForm("place", "A place has a latitude and a longitude in degrees.")
    return {"type": "Point", "coordinates": [longitude, latitude]}


def label_from(text: str) -> Label:
    """Raises InvalidForm."""
    try:
        return read_label(text)
    except BadRequestData as refused:
        raise InvalidForm("label", refused.detail) from refused


def hardware_id_from(text: str) -> Label:
    """Of a label that names a device, not a claim code. Raises InvalidForm."""
    label = label_from(text)
    if label.kind is LabelKind.CLAIM:
        raise InvalidForm("claim", "A claim code registers a device; it replaces none.")
    return label


def bytes_from(form: FormData, name: str) -> bytes:
    """Raises InvalidForm."""
    try:
        return bytes.fromhex(text_from(form, name))
    except ValueError as refused:
        raise InvalidForm("payload", "This is no hexadecimal.") from refused


def data_from(form: FormData, name: str) -> dict[str, Any] | None:
    """None where nothing is written. Raises InvalidForm."""
    text = text_from(form, name)
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else None
    except (msgspec.DecodeError, RecursionError) as refused:
        raise InvalidForm("data", "This is no JSON object.") from refused

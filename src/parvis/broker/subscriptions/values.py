"""Values of a subscription's document, each read or refused by its name (NGSI-LD 1.9.1, 5.2.12 to 5.2.15)."""

import math
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import SplitResult, urlsplit

from parvis.broker.jsonld.names import check_uri
from parvis.broker.subscriptions.model import without_password
from parvis.kernel.errors import BadRequestData

MAX_MEMBERS: Final = 1000
MAX_PAIRS: Final = 64
MAX_TEXT: Final = 4096
MAX_SECONDS: Final = 1_000_000_000
SCHEMES: Final = ("http", "https", "mqtt", "mqtts")

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}")
_FIELD_TEXT = re.compile(r"[\x20-\x7e\xa0-\xff\t]{0,4096}")
_OF_THE_CONNECTION = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)

Choice = TypeVar("Choice", bound=Enum)


def refuse(where: str, wanted: str, value: Any) -> NoReturn:
    raise BadRequestData(f"{where} must be {wanted}, not {value!r:.80}.")


def read_text(value: Any, where: str) -> str:
    if type(value) is not str or not 0 < len(value) <= MAX_TEXT:
        refuse(where, f"a text of 1 to {MAX_TEXT} characters", value)
    return value


def read_flag(value: Any, where: str) -> bool:
    if type(value) is not bool:
        refuse(where, "true or false", value)
    return value


def read_number(value: Any, where: str, least: float) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or not least <= value <= MAX_SECONDS:
        refuse(where, f"a number from {least:g} on", value)
    return float(value)


def read_positive(value: Any, where: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 < value <= MAX_SECONDS:
        refuse(where, "a number greater than 0", value)
    return float(value)


def read_list(value: Any, where: str) -> list[Any]:
    if type(value) is not list or not 0 < len(value) <= MAX_MEMBERS:
        refuse(where, f"an array of 1 to {MAX_MEMBERS} members", value)
    return value


def read_choice(value: Any, where: str, choices: Mapping[str, Choice]) -> Choice:
    found = choices.get(value) if type(value) is str else None
    if found is None:
        refuse(where, f"one of {', '.join(choices)}", value)
    return found


def read_endpoint_uri(value: Any, where: str) -> str:
    uri = check_uri(value, where)
    parts = _split(uri, where)
    if parts.scheme not in SCHEMES or not parts.hostname:
        refuse(where, f"an address that begins with {', '.join(SCHEMES)}", without_password(uri))
    is_topic = parts.scheme.startswith("mqtt")
    if is_topic and (not parts.path.strip("/") or "+" in parts.path or "#" in uri):
        refuse(where, "mqtt://host/topic, the topic without wildcards", without_password(uri))
    if not is_topic and (parts.username is not None or parts.password is not None):
        raise BadRequestData(f"{where} must hold no password: send it as a header, in receiverInfo.")
    return uri


def _split(uri: str, where: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        raise BadRequestData(f"{where} is no address.") from None
    return parts


def read_pairs(value: Any, where: str) -> tuple[tuple[str, str], ...]:
    if type(value) is not list or not 0 < len(value) <= MAX_PAIRS:
        raise BadRequestData(f"{where} must be an array of 1 to {MAX_PAIRS} objects with key and value.")
    return tuple(_pair(one, where) for one in value)


def _pair(value: Any, where: str) -> tuple[str, str]:
    """Refusals show the key only: the value may be a secret."""
    if type(value) is not dict or value.keys() != {"key", "value"} or type(value["key"]) is not str:
        raise BadRequestData(f"{where} must be an array of objects with key and value.")
    key, text = value["key"], value["value"]
    if not _TOKEN.fullmatch(key) or key.lower() in _OF_THE_CONNECTION:
        refuse(f"{where}.key", "the name of a header that is not the connection's own", key)
    if type(text) is not str or not _FIELD_TEXT.fullmatch(text):
        raise BadRequestData(f"{where}: the value of {key} must be a text on one line, of ISO 8859-1.")
    return key, text

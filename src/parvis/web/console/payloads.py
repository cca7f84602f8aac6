"""What a frame held, as bytes and, where it is text, as text."""

from dataclasses import dataclass

SHORTEST_TEXT_BYTES = 4
"""Below it bytes are more often letters by accident."""
LONGEST_TEXT = 200
BESIDE_TEXT_BYTES = 16
_BREAKS = frozenset("\n\r\t")


@dataclass(frozen=True, slots=True)
class PayloadView:
    hex: str
    is_cut: bool
    text: str = ""
    is_text_cut: bool = False


def payload_view(payload: bytes, most_bytes: int) -> PayloadView:
    text = text_of(payload)
    shown = payload[: min(most_bytes, BESIDE_TEXT_BYTES) if text else most_bytes]
    return PayloadView(shown.hex(" "), len(shown) < len(payload), text[:LONGEST_TEXT].strip(), len(text) > LONGEST_TEXT)


def text_of(payload: bytes) -> str:
    """Empty for bytes that are none."""
    if len(payload) < SHORTEST_TEXT_BYTES:
        return ""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return ""
    return text if all(one.isprintable() or one in _BREAKS for one in text) else ""

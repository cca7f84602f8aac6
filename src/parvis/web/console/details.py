"""Why exactly a frame was refused, in the page's language: the platform keeps it as one English sentence."""

from collections.abc import Mapping
from typing import Final

from parvis.fleet.frames.refusal import RefusalReason
from parvis.kernel.causes import pattern_of
from parvis.web.causes import Explained
from parvis.web.wording import Wording

_SENTENCES: Final[Mapping[str, str]] = {
    "no_sender": "it does not say which device sends",
    "no_identifier_column": "The first line names no column for the device's identifier, such as: {names}.",
    "frame_counter": "frame counter {counter}",
    "dated": "dated {when}",
    "too_many": "more than {rate} frames a second, for long",
    "other_key": "the key is of {device}",
    "took_too_long_often": "the codec took too long again and again",
    "took_too_long": "longer than {limit} ms",
    "too_much_memory": "more than {limit} MiB",
    "no_function": "no function {name}",
    "no_data_object": "the codec returned no data object",
    "too_deep": "the codec returned too deep a structure",
    "no_number": "{value} for {name} is no number that can be kept",
    "not_scaled": "{name} is {value}: only a number can be scaled",
    "no_uri": "{value} is no URI",
    "no_place_on_earth": "latitude {latitude}, longitude {longitude} is no place on Earth",
    "no_place": "{value} is no place",
    "half_a_place": "a place needs latitude and longitude",
    "out_of_bounds": "a number is out of bounds: {fault}",
    "no_json": "The body is no JSON: {fault}.",
}
"""Of two that could say a text the first does. A `fault` is of another program."""


_PATTERNS: Final = {key: pattern_of(sentence) for key, sentence in _SENTENCES.items()}


def explain_detail(reason: RefusalReason | None, text: str, t: Wording) -> Explained:
    """What a codec or a library wrote has no sentence of ours: it is the `detail`, in its own words."""
    if not text:
        return Explained("", "")
    if reason is RefusalReason.NOTHING_MAPPED:
        return Explained(t("refusal_detail.fields", fields=text), "")
    for key, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(text):
            values = found.groupdict()
            fault = values.pop("fault", "")
            return Explained(t(f"refusal_detail.{key}", **values), fault)
    return Explained("", text)

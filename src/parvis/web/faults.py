"""What was refused, and why something failed, in the page's language.

The layers below tell it as one English sentence, which passes through jobs, other processes and the API as it is. The
English catalogue holds those sentences, or another wording of them in the table here.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from parvis.kernel.causes import find_cause, pattern_of
from parvis.web.causes import Explained
from parvis.web.i18n import catalogue
from parvis.web.wording import NO_BREAK_SPACE, Wording

_OTHERWISE: Final[Mapping[str, str]] = {
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
    "out_of_bounds": "a number is out of bounds",
    "no_json": "The body is no JSON",
}
"""Of frames: what the catalogue says under `refusal_detail` in English too."""
_SENTENCES: Final = "fault."
_HINT: Final = re.compile(r"(?P<told>.+) Did you mean (?P<name>.+?)\?\.?", re.DOTALL)
_PLACE: Final = re.compile(r"(?P<where>[^\n]{1,200}?): (?P<told>.+)", re.DOTALL)
_NO_NEWS: Final = re.compile(r"mapping|time\.zone|[A-Z][a-z]+([A-Z][A-Za-z]*)+")
"""The form itself, or the name of an exception: told before a sentence, and no news to a reader."""
_FURTHER: Final = r"(?:: (?P<further>.+?))?\.?"
"""What another program or a nested fault said of it."""
_QUOTED: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_ADDRESS: Final = re.compile(r"\('([^']+)', (\d+)[^)]*\)")
_DEEPEST: Final = 3
NOTHING_SAID: Final = Explained("", "")


def explain_fault(text: str, t: Wording, depth: int = 0) -> Explained:
    """What others have written has no sentence of ours: it is the `detail`, in its own words."""
    if not text or depth > _DEEPEST:
        return Explained("", text)
    if found := _HINT.fullmatch(text):
        told, hint = explain_fault(found["told"], t, depth + 1), t("fault.did_you_mean", name=_said(found["name"], t))
        return told._replace(sentence=f"{told.sentence} {hint}".strip())
    known = _explain_cause(text, t) or _explain_own(text, t, depth) or _explain_of_place(text, t, depth)
    return known or Explained("", text)


def _explain_cause(text: str, t: Wording) -> Explained | None:
    found = find_cause(text)
    return None if found is None else Explained(t(f"cause.{found.cause.name.lower()}", **found.values), "")


def _explain_own(text: str, t: Wording, depth: int) -> Explained | None:
    for key, pattern in _patterns():
        if found := pattern.fullmatch(text):
            values = found.groupdict()
            further = explain_fault(values.pop("further") or "", t, depth + 1)
            sentence = t(key, **{name: _said(value, t) for name, value in values.items()})
            return Explained(_joined(sentence, further.sentence, t), further.detail)
    return None


def _joined(sentence: str, further: str, t: Wording) -> str:
    """English as it was written."""
    if not further:
        return sentence
    return f"{sentence} {further}" if t.language == "fr" else f"{sentence.removesuffix('.')}: {further}"


def _explain_of_place(text: str, t: Wording, depth: int) -> Explained | None:
    """A sentence after what it is about."""
    found = _PLACE.fullmatch(text)
    told = NOTHING_SAID if found is None else explain_fault(found["told"], t, depth + 1)
    if found is None or not told.sentence:
        return None
    if _NO_NEWS.fullmatch(found["where"]):
        return told._replace(sentence=told.sentence[:1].upper() + told.sentence[1:])
    gap = NO_BREAK_SPACE if t.language == "fr" else ""
    return told._replace(sentence=f"{found['where']}{gap}: {told.sentence}")


def _said(value: str, t: Wording) -> str:
    """As people write it: an address, the language's own quotation marks, what one has no right to do."""
    if found := _ADDRESS.fullmatch(value):
        return f"{found[1]}:{found[2]}"
    if t.language == "fr" and _QUOTED.fullmatch(value):
        return f"«{NO_BREAK_SPACE}{value[1:-1]}{NO_BREAK_SPACE}»"
    return t.find(f"right_to.{value.replace(' ', '_')}") or value.removeprefix("user:")


@cache
def _patterns() -> tuple[tuple[str, "re.Pattern[str]"], ...]:
    """Of two sentences that could say a text the first does."""
    return tuple((key, _pattern(sentence)) for key, sentence in _list_sentences())


def _list_sentences() -> Iterator[tuple[str, str]]:
    for key, sentence in catalogue("en").items():
        if key.startswith(_SENTENCES):
            yield key, sentence
    for key, sentence in _OTHERWISE.items():
        yield f"refusal_detail.{key}", sentence


def _pattern(sentence: str) -> "re.Pattern[str]":
    return re.compile(f"{pattern_of(sentence.removesuffix('.')).pattern}{_FURTHER}", re.DOTALL)

"""Sentences, numbers, quantities, ages and dates in one language."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from parvis.kernel.time import DAY, HOUR, MINUTE, Instant, find_zone, to_datetime
from parvis.web.i18n import catalogue, plural_form
from parvis.web.units import SHARES_OF_ONE, symbol_of

MINUS = "\u2212"
NARROW_SPACE = "\u202f"
NO_BREAK_SPACE = "\u00a0"
LARGEST_WITH_DECIMALS = 100
GENERIC = "generic"


class Wording:
    def __init__(self, language: str, time_zone: str = "UTC") -> None:
        self.language = language
        self._sentences = catalogue(language)
        self._zone = zone_of(time_zone)

    def __call__(self, key: str, **values: Any) -> str:
        """The sentence of `key`; with `n`, its singular or plural."""
        if "n" in values:
            plural = f"{key}.{plural_form(self.language, values['n'])}"
            key = plural if plural in self._sentences else key
            values["n"] = self.number(values["n"])
        sentence = self._sentences[key]
        if not values:
            return sentence
        return (_joined(sentence, values) if self.language == "fr" else sentence).format_map(values)

    def find(self, key: str) -> str | None:
        return self._sentences.get(key)

    def number(self, value: float, decimals: int | None = None) -> str:
        """With the language's separators; without `decimals`, two significant ones below 100."""
        if decimals is None:
            decimals = _sensible_decimals(value)
        text = f"{value:z,.{decimals}f}".replace("-", MINUS)
        if self.language != "fr":
            return text
        return text.replace(",", NARROW_SPACE).replace(".", ",")

    def quantity(self, value: Any, unit_code: str = "", attribute: str = "") -> str:
        """What a reader says of a value: "62 %", "18.4 °C", "free"."""
        number, unit = self.split_quantity(value, unit_code, attribute)
        return f"{number}{self.gap(unit)}{unit}" if unit else number

    def distance(self, metres: float) -> str:
        """As one would say it: to ten metres, from a kilometre on in kilometres."""
        if metres < 1000:
            return self.quantity(max(10, round(metres, -1)), "MTR")
        return f"{self.number(metres / 1000, 1)}{NO_BREAK_SPACE}km"

    def gap(self, unit: str) -> str:
        """What stands between a number and its unit: English sets the per cent sign close."""
        return "" if unit == "%" and self.language == "en" else NO_BREAK_SPACE

    def split_quantity(self, value: Any, unit_code: str = "", attribute: str = "") -> tuple[str, str]:
        """The value's text and its unit, which pages show apart."""
        if value is None:
            return ("–", "")
        if isinstance(value, bool):
            return (self("value.true" if value else "value.false"), "")
        if isinstance(value, int | float):
            return self._split_number(value, unit_code, attribute)
        if isinstance(value, str):
            return (self.find(f"value.{value}") or value, "")
        return (str(value), "")

    def _split_number(self, value: float, unit_code: str, attribute: str) -> tuple[str, str]:
        if attribute in SHARES_OF_ONE:
            return (self.number(value * 100, 0), "%")
        if attribute in ALARMS:
            return (self("value.true" if value else "value.false"), "")
        return (
            self.number(value, DECIMALS.get(attribute)),
            symbol_of(unit_code) or self.find(f"unit.{attribute}") or "",
        )

    def age(self, instant: Instant | None, now: Instant, words: str = "age.") -> str:
        """`words` "before.": as of a moment of the past."""
        if instant is None:
            return self(f"{words}never")
        elapsed = now - instant
        for unit, length in (("days", DAY), ("hours", HOUR), ("minutes", MINUTE)):
            if elapsed >= length:
                return self(f"{words}{unit}", n=elapsed // length)
        return self(f"{words}now")

    def moment(self, instant: Instant) -> str:
        """The exact date and time, in the territory's zone."""
        local = self.local(instant)
        return self("date.moment", day=self.day(local.date()), time=f"{local:%H:%M}", zone=local.tzname())

    def clock_time(self, instant: Instant) -> str:
        return f"{self.local(instant):%H:%M}"

    def day(self, day: date) -> str:
        told = self("date.first") if day.day == 1 else day.day
        return self("date.day", day=told, month=self(f"month.{day.month}"), year=day.year)

    def weekday(self, day: date) -> str:
        return self(f"weekday.{day.isoweekday()}")

    def local(self, instant: Instant) -> datetime:
        return to_datetime(instant).astimezone(self._zone)

    def type_name(self, name: str, count: float = 2) -> str:
        own = re.split("[/#:]", name)[-1] or name  # a type of another vocabulary is an IRI
        return self.find(f"type.{name}.{plural_form(self.language, count)}") or spaced(own)

    def maker(self, vendor: str, model: str) -> str:
        """Of a profile for a kind of device that many make, nobody in particular."""
        return self("codecs.generic") if vendor == GENERIC else " ".join(word for word in (vendor, model) if word)

    def attribute_name(self, name: str, of_type: str = "") -> str:
        """A general name may be told more exactly where the type of its entity is known."""
        exact = self.find(f"attribute_of.{of_type}.{name}") if of_type else None
        return exact or self.find(f"attribute.{name}") or spaced(name)


def _joined(sentence: str, values: dict[str, Any]) -> str:
    """French draws "à" and "de" together with the article that a name begins with, and "de" with its vowel."""

    def joined(found: re.Match[str]) -> str:
        name = values[found["name"]]
        article = _ARTICLE.match(name) if isinstance(name, str) else None
        if article:
            values[f"{found['name']}_bare"] = name[article.end() :]
            return f"{_DRAWN_TOGETHER[found['word'], article['article']]} {{{found['name']}_bare}}"
        if found["word"] == "de" and isinstance(name, str) and _VOWEL.match(name):
            return f"d’{{{found['name']}}}"
        return found[0]

    return _BEFORE_NAME.sub(joined, sentence)


_BEFORE_NAME = re.compile(r"\b(?P<word>à|de) \{(?P<name>\w+)\}")
_ARTICLE = re.compile(r"(?P<article>Le|Les) (?=\w)")
_DRAWN_TOGETHER = {("à", "Le"): "au", ("à", "Les"): "aux", ("de", "Le"): "du", ("de", "Les"): "des"}
_VOWEL = re.compile(r"[aâàeéèêëiîïoôœuù][^\W\d_]*(?![\w.@/-])", re.IGNORECASE)
"""Of a word; an identifier keeps what is before it apart."""

ALARMS = frozenset({"alarmStopsLeaks", "alarmTamper"})
"""0 or 1 in Smart Data Models, and read as no or yes."""


DECIMALS: Mapping[str, int] = {"height": 2, "temperature": 1, "intensity": 0, "flow": 0}


def decimals_of(attribute: str) -> int | None:
    """What its values are told with; None: as many as are sensible."""
    return 0 if attribute in SHARES_OF_ONE else DECIMALS.get(attribute)


def spaced(name: str) -> str:
    """ "averageVehicleSpeed" -> "Average vehicle speed"."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return words[:1].upper() + words[1:]


@lru_cache(maxsize=64)
def wording(language: str, time_zone: str) -> Wording:
    return Wording(language, time_zone)


def zone_of(name: str) -> Any:
    return find_zone(name) or UTC


def _sensible_decimals(value: float) -> int:
    if value == int(value) or abs(value) >= LARGEST_WITH_DECIMALS:
        return 0
    return 1 if abs(value) >= 1 else 2


def words_for(script: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The part of a catalogue that a page hands to its scripts."""
    return {key.removeprefix(prefix): text for key, text in script.items() if key.startswith(prefix)}

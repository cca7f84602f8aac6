"""The languages of the pages: one TOML catalogue each, the same keys in all."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES: Mapping[str, str] = {"fr": "Français", "en": "English"}


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Sentences by dotted key."""
    text = files(__package__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flatten(tomllib.loads(text), ""))


def _flatten(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, content in table.items():
        if isinstance(content, dict):
            yield from _flatten(content, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", content


def plural_form(language: str, count: float) -> str:
    """Unicode CLDR cardinal rules: French says the singular below 2, English for exactly 1."""
    singular = abs(count) < 2 if language == "fr" else count == 1
    return "one" if singular else "other"


def negotiate(accept_language: str, offered: tuple[str, ...] = tuple(LANGUAGES)) -> str:
    """The best language of an Accept-Language header (RFC 9110, 12.5.4); the first offered where none fits."""
    ranked = sorted((_ranked(part) for part in accept_language.split(",") if part.strip()), reverse=True)
    for quality, tag in ranked:
        if quality > 0 and tag.split("-")[0] in offered:
            return tag.split("-")[0]
    return offered[0]


def _ranked(part: str) -> tuple[float, str]:
    tag, _, parameters = part.strip().partition(";")
    _, _, quality = parameters.partition("q=")
    try:
        return (float(quality) if quality else 1.0, tag.strip().lower())
    except ValueError:
        return (0.0, tag.strip().lower())

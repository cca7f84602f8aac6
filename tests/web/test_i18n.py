import re
import string
import tomllib
from pathlib import Path

import msgspec
import pytest

from parvis.connectors.files.report import FaultReason, Verdict
from parvis.fleet.profiles.profile import Header
from parvis.web.assets import HERE
from parvis.web.headline import PROFILES, State
from parvis.web.i18n import LANGUAGES, catalogue, negotiate, plural_form

ROOT = Path(__file__).parents[2]
SOURCES = [*HERE.rglob("*.py"), *HERE.rglob("*.html"), *(HERE / "static/js").rglob("*.js")]
KEY = re.compile(r"[\"'`]([a-z_]+(?:\.[A-Za-z0-9_]+)*\.?)")
SPOKEN_BY_DATA = ("value.", "unit.", "type.", "attribute.", "waste.", "reason.")
"""Sentences of what data may hold; a platform need not hold all of it."""


def literals() -> set[str]:
    """Every word in quotes that could be a key, or the beginning of one."""
    found: set[str] = set()
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        found.update(KEY.findall(text))
        found.update(f"script.{key}" for key in re.findall(r"say\([\"'`]([a-z_]+)", text))
    return found


def is_used(key: str, known: set[str]) -> bool:
    stem = re.sub(r"\.(one|other)$", "", key)
    if key in known or stem in known or key.startswith(SPOKEN_BY_DATA):
        return True
    return any(stem.startswith(prefix) for prefix in known if prefix.endswith((".", "_")) and "." in prefix)


def test_all_languages_say_the_same_things() -> None:
    keys = {language: set(catalogue(language)) for language in LANGUAGES}
    assert keys["fr"] == keys["en"]


def test_no_sentence_is_there_for_nothing() -> None:
    known = literals()
    assert [key for key in catalogue("en") if not is_used(key, known)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_of_templates_and_code_has_a_sentence(language: str) -> None:
    sentences = catalogue(language)
    wanted = set()
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        wanted.update(re.findall(r"\bt\([\"']([a-z_]+\.[A-Za-z0-9_.]+)[\"']", text))
        wanted.update(f"script.{key}" for key in re.findall(r"say\([\"']([a-z_]+)[\"']", text))
    missing = {
        key for key in wanted if not {key, f"{key}.one", f"{key}."} & set(sentences) and not key.endswith(("_", "."))
    }
    assert missing == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_take_the_same_values_in_every_language(language: str) -> None:
    for key, sentence in catalogue(language).items():
        assert fields(sentence) == fields(catalogue("en")[key]), key


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_has_its_word_everywhere(language: str) -> None:
    for state in State:
        for group in ("state", "filter.state_", "room", "script.state_"):
            key = f"{group}{state.word}" if group.endswith("_") else f"{group}.{state.word}"
            assert key in catalogue(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_alarm_of_an_entity_has_its_sentence(language: str) -> None:
    alarms = {one.alarm for profile in PROFILES.values() for one in profile.headlines if one.alarm is not None}
    assert len(alarms) > 1
    assert {f"entity.alarm_{alarm}" for alarm in alarms} <= set(catalogue(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_that_an_import_can_tell_has_its_sentence(language: str) -> None:
    faults = {f"import_fault.{reason.name.lower()}" for reason in FaultReason}
    verdicts = {f"import_verdict.{verdict.value}" for verdict in Verdict}
    assert (faults | verdicts) - set(catalogue(language)) == set()


def test_french_sentences_use_french_punctuation() -> None:
    plain = re.compile(r"[^\u00a0\u202f\s][;?!]|\w (?=[:;?!])|'")
    wrong = {key for key, text in catalogue("fr").items() if plain.search(text.replace("{", "").replace("}", ""))}
    assert wrong == set()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("en-GB,en;q=0.8", "en"),
        ("de, fr;q=0.5", "fr"),
        ("de", "fr"),
        ("en;q=0.1, fr;q=x", "en"),
        ("*", "fr"),
    ],
)
def test_the_browser_says_which_language_it_wants(header: str, language: str) -> None:
    assert negotiate(header, ("fr", "en")) == language


def test_french_says_the_singular_for_zero() -> None:
    assert [plural_form("fr", count) for count in (0, 1, 1.5, 2)] == ["one", "one", "one", "other"]
    assert [plural_form("en", count) for count in (0, 1, 2)] == ["other", "one", "other"]


def test_every_profile_that_comes_with_the_platform_is_called_in_french_too() -> None:
    folders = [ROOT / "src/parvis/fleet/profiles/packaged", ROOT / "src/parvis/demo/codecs"]
    files = [path.read_text() for folder in folders for path in folder.glob("*/profile.toml")]
    headers = [msgspec.convert(tomllib.loads(text)["profile"], Header) for text in files]
    assert headers
    for header in headers:
        assert header.name_in("fr") != header.name_in("en") == header.name
    own = Header("basin", "Pegel am Becken", "WaterObserved")
    assert own.name_in("fr") == "Pegel am Becken"

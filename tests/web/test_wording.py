import pytest

from parvis.kernel.time import DAY, HOUR, MINUTE, parse_instant
from parvis.web.wording import Wording, spaced

FR, EN = Wording("fr", "Europe/Paris"), Wording("en", "Europe/Paris")
NOW = parse_instant("2026-07-14T12:00:00Z")


@pytest.mark.parametrize(
    ("value", "unit", "attribute", "french", "english"),
    [
        (0.62, "C62", "fillingLevel", "62\u00a0%", "62%"),
        (-3.2, "CEL", "temperature", "\u22123,2\u00a0°C", "\u22123.2\u00a0°C"),
        (-0.001, "CEL", "temperature", "0,0\u00a0°C", "0.0\u00a0°C"),
        (18.4, "CEL", "temperature", "18,4\u00a0°C", "18.4\u00a0°C"),
        (13680, "E32", "flow", "13\u202f680\u00a0L/h", "13,680\u00a0L/h"),
        (720, "", "intensity", "720\u00a0véh/h", "720\u00a0veh/h"),
        ("free", "", "status", "libre", "free"),
        ("gone fishing", "", "status", "gone fishing", "gone fishing"),
        (True, "", "", "oui", "yes"),
        (1, "", "alarmStopsLeaks", "oui", "yes"),
        (4.283, "MTR", "height", "4,28\u00a0m", "4.28\u00a0m"),
        (3, "XYZ", "", "3\u00a0XYZ", "3\u00a0XYZ"),
        (None, "CEL", "", "–", "–"),
    ],
)
def test_values_read_as_people_say_them(value: object, unit: str, attribute: str, french: str, english: str) -> None:
    assert FR.quantity(value, unit, attribute) == french
    assert EN.quantity(value, unit, attribute) == english


@pytest.mark.parametrize(
    ("elapsed", "french", "english"),
    [
        (0, "à l’instant", "just now"),
        (-MINUTE, "à l’instant", "just now"),
        (12 * MINUTE, "il y a 12\u00a0min".replace("\u00a0", " "), "12 min ago"),
        (3 * HOUR, "il y a 3 h", "3 h ago"),
        (DAY, "il y a 1 jour", "1 day ago"),
        (9 * DAY, "il y a 9 jours", "9 days ago"),
    ],
)
def test_ages_are_words(elapsed: int, french: str, english: str) -> None:
    assert FR.age(NOW - elapsed, NOW) == french
    assert EN.age(NOW - elapsed, NOW) == english


def test_what_was_never_measured_says_so() -> None:
    assert EN.age(None, NOW) == "never measured"


def test_moments_are_in_the_territorys_zone() -> None:
    assert FR.moment(NOW) == "14 juillet 2026 à 14:00 (CEST)"
    assert EN.moment(NOW) == "14 July 2026, 14:00 (CEST)"


def test_an_unknown_zone_falls_back_to_utc() -> None:
    assert Wording("en", "Mars/Olympus").clock_time(NOW) == "12:00"


def test_names_without_a_word_are_spelled_out() -> None:
    assert spaced("averageVehicleSpeed") == "Average vehicle speed"
    assert EN.type_name("BeeHive") == "Bee hive"
    assert EN.attribute_name("honeyLevel") == "Honey level"


def test_a_height_is_of_water_where_the_type_says_so() -> None:
    assert [FR.attribute_name("height"), EN.attribute_name("height", "Tree")] == ["Hauteur", "Height"]
    assert FR.attribute_name("height", "WaterObserved") == "Hauteur d’eau"


@pytest.mark.parametrize(
    ("name", "french"),
    [
        ("Le Havre", "Carte des points de tri au Havre"),
        ("Les Sables-d’Olonne", "Carte des points de tri aux Sables-d’Olonne"),
        ("La Rochelle", "Carte des points de tri à La Rochelle"),
        ("Lesconil", "Carte des points de tri à Lesconil"),
    ],
)
def test_french_draws_a_place_and_its_article_together(name: str, french: str) -> None:
    assert FR("portal.map_label", commune=name) == french
    assert name in EN("portal.map_label", commune=name)


@pytest.mark.parametrize(
    ("name", "french"),
    [
        ("École", "Copie d’École"),
        ("Eau et air", "Copie d’Eau et air"),
        ("Le Port", "Copie du Port"),
        ("Marché", "Copie de Marché"),
        ("a81758fffe", "Copie de a81758fffe"),
        ("eau.csv", "Copie de eau.csv"),
        ("{name}", "Copie de {name}"),
    ],
)
def test_french_leaves_no_vowel_after_de(name: str, french: str) -> None:
    assert FR("board.copy_of", name=name) == french

"""Recycling points around an address, a place or oneself; and water levels in words."""

import httpx
import pytest

from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import Caller
from parvis.kernel.time import HOUR, MINUTE
from parvis.web.portal.nearby import Candidate, position_of, rank
from parvis.web.portal.water import change_of, draw, word_of
from tests.fakes.town import HALF_BIN, measured
from tests.web.conftest import plain

HERE = (-3.3, 47.7)
GAUGE = "urn:ngsi-ld:WaterObserved:bridge"


async def test_the_nearest_to_an_address_come_first_with_their_distance(
    platform: Platform, visitor: httpx.AsyncClient
) -> None:
    await platform.broker.take_in_words()

    page = plain((await visitor.get("/?near=1 school")).text)

    assert "The nearest to 1 School, Trevalan" in page
    first, second = page.index("1 School , Trevalan"), page.index("1 Market , Trevalan")
    assert first < second < page.index("1 Beach , Port")
    assert "10 m" in page[first:second], "it stands there"
    assert "1.9 km" in page[second:]
    assert "room left" in page[first:second]


async def test_around_me_is_of_all_communes_and_the_map_has_the_same_points(visitor: httpx.AsyncClient) -> None:
    page = (await visitor.get("/?commune=Port&at=47.72,-3.28")).text
    told = plain(page)
    assert "The nearest to you" in told
    assert told.index("1 School") < told.index("1 Market") < told.index("1 Beach")
    source = page.partition('data-source="')[2].partition('"')[0].replace("&amp;", "&")
    features = (await visitor.get(source)).json()["features"]
    assert features[0]["id"] == HALF_BIN
    assert len(features) == 3


async def test_what_is_unknown_is_said_and_the_communes_own_points_stay(
    platform: Platform, visitor: httpx.AsyncClient
) -> None:
    await platform.broker.take_in_words()
    page = plain((await visitor.get("/?commune=Trevalan&near=Xyzzy <b>")).text)
    assert "Nothing is known here by “Xyzzy <b>”" in page
    assert "1 Market" in page


async def test_addresses_of_what_is_not_public_are_no_help(platform: Platform, visitor: httpx.AsyncClient) -> None:
    await platform.broker.take_in_words()
    assert "Nothing is known here by “mill”" in plain((await visitor.get("/?near=mill")).text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("47.72,-3.28", (-3.28, 47.72)),
        ("47.72, -3.28", (-3.28, 47.72)),
        ("91,0", None),
        ("0,181", None),
        ("nan,1", None),
        ("", None),
        ("47.72", None),
        ("1e3,1", None),
    ],
)
def test_a_position_is_two_numbers_within_the_world(text: str, place: tuple[float, float] | None) -> None:
    assert position_of(text) == place


def test_the_nearest_number_of_the_street_stands_for_a_house_and_other_streets_are_offered() -> None:
    candidates = [
        Candidate("2 Rue du Port", "Penhervan", "Bac 2", HERE),
        Candidate("40 Rue du Port", "Trevalan", "Bac 40", HERE),
        Candidate("11 Rue du Port", "Trevalan", "Bac 11", HERE),
        Candidate("3 Quai Neuf", "Trevalan", "Capitainerie, rue du Port", HERE),
    ]

    spots = rank(candidates, ["12", "rue", "du", "port"], "Trevalan")

    assert [one.label for one in spots] == [
        "11 Rue du Port, Trevalan",
        "2 Rue du Port, Penhervan",
        "Capitainerie, rue du Port, Trevalan",
    ]


MILL = Candidate("5 Rue du Moulin à Marée", "Port-Trevalan", "Bac 5", HERE)


def test_a_commune_called_as_the_street_is_no_other_street() -> None:
    (spot,) = rank([MILL], ["5", "rue", "du", "port", "port", "trevalan"], "")
    assert (spot.label, spot.is_meant) == ("5 Rue du Moulin à Marée, Port-Trevalan", False)
    assert rank([MILL], ["5", "rue", "du", "moulin", "port", "trevalan"], "")[0].is_meant
    assert rank([MILL], ["port", "trevalan"], "")[0].is_meant


def test_a_slip_in_the_name_of_a_street_is_forgiven_where_asked_to() -> None:
    dolmen = Candidate("3 Avenue du Dolmen", "Trevalan", "Bac 3", HERE)
    asked = ["avenu", "du", "dolmin"]
    assert rank([dolmen], asked, "", is_forgiving=True)[0].label == "3 Avenue du Dolmen, Trevalan"
    assert [one.is_meant for one in rank([MILL], ["avenue", "du", "dolmin"], "", is_forgiving=True)] == [False]


async def test_another_street_is_offered_and_not_taken(
    platform: Platform, visitor: httpx.AsyncClient, caller: Caller
) -> None:
    address = {"streetAddress": "5 Rue du Moulin", "addressLocality": "Port-Trevalan"}
    moved = Instance(platform.broker.contexts.parvis.expand("address"), Kind.PROPERTY, address)
    await platform.broker.write(caller, [Change(HALF_BIN, Mode.UPSERT_UPDATE, (moved,))])
    await platform.broker.take_in_words()

    page = plain((await visitor.get("/?near=5 rue du port, Port-Trevalan")).text)

    assert "The street in “5 rue du port, Port-Trevalan” is not known here." in page
    assert "Found instead: 5 Rue du Moulin, Port-Trevalan" in page
    assert "The nearest to" not in page


async def test_a_slip_finds_the_street(platform: Platform, visitor: httpx.AsyncClient) -> None:
    await platform.broker.take_in_words()
    assert "The nearest to 1 School, Trevalan" in plain((await visitor.get("/?near=1 schoul, Trevalan")).text)


async def test_a_level_is_told_in_words_with_its_way_its_day_and_its_age(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: int
) -> None:
    expand = platform.broker.contexts.parvis.expand
    marks = [Instance(expand(term), Kind.PROPERTY, mark) for term, mark in (("alertLevel", 1.0), ("dangerLevel", 1.5))]
    named = [Instance(expand("name"), Kind.PROPERTY, "The bridge"), *marks]
    await platform.broker.write(caller, [Change(GAUGE, Mode.CREATE, tuple(named), (expand("WaterObserved"),))])
    for ago, height in ((120, 0.5), (64, 0.71), (34, 0.73), (4, 0.75)):
        level = measured(expand("height"), height, now - ago * MINUTE, "MTR")
        await platform.broker.write(caller, [Change(GAUGE, Mode.APPEND, (level,))])

    page = (await operator.get("/")).text
    told = plain(page)

    assert "The bridge normal level rising 4 cm in the last hour 0.75 m 4 min ago" in told
    assert '<svg class="spark"' in page


@pytest.mark.parametrize(
    ("height", "marks", "word"),
    [
        (0.9, [(1.5, "flood"), (1.0, "high")], "normal"),
        (1.0, [(1.5, "flood"), (1.0, "high")], "high"),
        (1.6, [(1.5, "flood"), (1.0, "high")], "flood"),
        (1.6, [(None, "flood"), (1.0, "high")], "high"),
        (1.6, [(None, "flood"), (None, "high")], ""),
    ],
)
def test_a_level_is_judged_by_the_stations_own_marks(
    height: float, marks: list[tuple[float | None, str]], word: str
) -> None:
    assert word_of(height, marks) == word


def test_nobody_tells_a_way_over_a_gap() -> None:
    newest = (10 * HOUR, 1.0)
    assert change_of([newest]) is None
    assert change_of([(6 * HOUR, 0.5), newest]) is None
    assert change_of([(6 * HOUR, 0.5), (9 * HOUR + 5 * MINUTE, 1.2), newest]) == pytest.approx(-0.2)


def test_ripples_are_drawn_as_such() -> None:
    flat = draw([(number * HOUR, 1 + 0.002 * (number % 2)) for number in range(24)], 24 * HOUR)
    heights = {float(point.split()[1]) for point in flat.replace("M", "L").split("L")[1:]}
    assert max(heights) - min(heights) < 2
    assert draw([(HOUR, 1.0)], 24 * HOUR) == ""

import pytest

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.kernel.time import HOUR
from parvis.web.headline import Domain, State
from parvis.web.markers import ICONS, cluster, marker, strokes_of
from parvis.web.sentences import state_sentence
from parvis.web.views import EntityReader, by_urgency, natural, one_text, position_of, short_id
from parvis.web.wording import Wording

CONTEXT = Contexts().parvis
EN = Wording("en")
READER = EntityReader(CONTEXT)


def entity(type_name: str, *instances: Instance, scopes: tuple[str, ...] = ()) -> Entity:
    return Entity("urn:ngsi-ld:Thing:7", (CONTEXT.expand(type_name),), instances, scopes)


def prop(term: str, value: object) -> Instance:
    return Instance(CONTEXT.expand(term), Kind.PROPERTY, value, observed_at=1)


def test_an_unknown_type_shows_its_first_number() -> None:
    view = READER.view(entity("Beehive", prop("colour", "red"), prop("honey", 3.5)), 1)
    assert (view.domain, view.value, view.state) == (Domain.OTHER, 3.5, State.GOOD)


def test_an_entity_without_a_name_goes_by_its_id() -> None:
    assert READER.view(entity("Beehive"), 1).name == "7"
    assert short_id("https://example.org/x") == "https://example.org/x"


def test_the_second_headline_stands_in_for_the_first() -> None:
    view = READER.view(entity("AirQualityObserved", prop("temperature", 12)), 1)
    assert view.headline is not None
    assert view.headline.attribute == "temperature"


@pytest.mark.parametrize(("value", "unit", "state"), [(900, "CEL", State.WARN), (293, "KEL", State.GOOD)])
def test_a_value_that_cannot_be_is_to_be_watched(value: float, unit: str, state: State) -> None:
    room = Instance(CONTEXT.expand("temperature"), Kind.PROPERTY, value, observed_at=1, unit_code=unit)
    view = READER.view(entity("IndoorEnvironmentObserved", room), 1)
    assert view.state is state
    assert ("This value is impossible" in state_sentence(view, EN, 1)) == state.needs_attention


def test_the_commune_is_in_the_address_or_the_scope() -> None:
    assert READER.view(entity("Beehive", prop("address", {"addressLocality": "Port"})), 1).commune == "Port"
    assert (
        READER.view(entity("Beehive", prop("address", {"https://schema.org/addressLocality": "Port"})), 1).commune
        == "Port"
    )
    assert READER.view(entity("Beehive", scopes=("/Trevalan/Quai",)), 1).commune == "Quai"
    assert READER.view(entity("Beehive"), 1).commune == ""


@pytest.mark.parametrize(
    ("geometry", "place"),
    [
        ({"type": "Point", "coordinates": [1, 2]}, (1, 2)),
        ({"type": "LineString", "coordinates": [[0, 0], [2, 4]]}, (1, 2)),
        ({"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 4], [0, 0]]]}, (1.5, 2)),
        ({"type": "Point", "coordinates": []}, None),
        ("nowhere", None),
    ],
)
def test_every_geometry_has_a_place_for_its_marker(geometry: object, place: tuple[float, float] | None) -> None:
    assert position_of(Instance("location", Kind.GEO_PROPERTY, geometry)) == place


def test_names_are_in_the_order_people_count() -> None:
    names = ["Halles, place 10", "Halles, place 2", "halles, place 1", "Gare", "12 rue", "2 rue"]
    assert sorted(names, key=natural) == [
        "2 rue",
        "12 rue",
        "Gare",
        "halles, place 1",
        "Halles, place 2",
        "Halles, place 10",
    ]


def test_markers_say_the_state_by_shape_and_sign() -> None:
    icon = '<svg><path d="M0 0"/><script>alert(1)</script></svg>'
    drawings = {state: marker("waste", Domain.WASTE, state, icon) for state in State}
    assert "<text" not in drawings[State.GOOD]
    assert [">?<" in drawings[State.STALE], ">!<" in drawings[State.WARN], ">×<" in drawings[State.BAD]] == [True] * 3
    assert "script" not in strokes_of(icon)
    assert 'id="cluster-bad"' in cluster(State.BAD)
    assert set(ICONS) == set(Domain)


def test_the_fullest_comes_before_the_merely_full() -> None:
    levels = (0.96, 1.0, 0.99, 0.5, 0.85)
    views = [READER.view(entity("WasteContainer", prop("fillingLevel", level)), 1) for level in levels]
    assert [view.value for view in by_urgency(views)] == [1.0, 0.99, 0.96, 0.85, 0.5]


def test_a_car_park_has_its_letter() -> None:
    assert READER.view(entity("ParkingSpot", prop("status", "free")), 1).glyph == "parking"
    assert READER.view(entity("TrafficFlowObserved", prop("intensity", 7)), 1).glyph == "mobility"


def test_what_nobody_dated_is_not_said_to_be_measured_just_now() -> None:
    undated = Instance(CONTEXT.expand("height"), Kind.PROPERTY, 12, modified_at=1)
    told, dated = (READER.view(entity("WaterObserved", one), 1) for one in (undated, prop("height", 12)))
    assert state_sentence(told, EN, 1) == "Water height: 12.00, with no date of measurement."
    assert "measured just now" in state_sentence(dated, EN, 1)


@pytest.mark.parametrize(
    ("type_name", "told", "state"),
    [
        ("NoiseLevelObserved", [], State.STALE),
        ("Building", [], State.GOOD),
        ("Building", [prop("isStale", True)], State.STALE),
        ("Streetlight", [], State.GOOD),
    ],
)
def test_a_thing_that_nothing_measures_is_not_silent(type_name: str, told: list[Instance], state: State) -> None:
    bare = entity(type_name, *told)
    view = READER.view(bare, 1)
    assert view.headline is not None
    assert (view.state, READER.state_by(view.headline, bare, 1)) == (state, state)


def test_a_name_is_the_one_of_the_page_s_language() -> None:
    name = Instance(CONTEXT.expand("name"), Kind.LANGUAGE_PROPERTY, {"en": "Market", "fr-FR": "Marché", "@none": "M"})
    named = {
        one: READER.in_language(one).view(entity("WasteContainer", name), 1).name for one in ("en", "fr", "br", "")
    }
    assert named == {"en": "Market", "fr": "Marché", "br": "M", "": "M"}
    assert one_text({"en": ["Quay", "Port"]}, "fr") == "Quay, Port"
    assert READER.in_language("fr") is READER.in_language("en").in_language("fr"), "made once"


@pytest.mark.parametrize(
    ("told", "value", "state", "sentence"),
    [
        (False, 20.0, State.GOOD, "In order"),
        (True, 20.0, State.STALE, "its source brings nothing new"),
        (True, 300.0, State.BAD, "230"),
        (None, 20.0, State.STALE, "expected every 15 minutes"),
    ],
)
def test_a_station_whose_feed_says_whether_it_is_stale_is_judged_by_that(
    told: bool | None, value: float, state: State, sentence: str
) -> None:
    """Its service publishes by the hour: no pace of the type's is its own."""
    flag = [] if told is None else [prop("isStale", told)]
    station = entity("AirQualityObserved", prop("no2", value), *flag)

    view = READER.view(station, now := 2 * HOUR)

    assert (view.state, view.stale_at is None) == (state, True)
    assert sentence in state_sentence(view, EN, now)
    assert ((CONTEXT.expand("isStale"), "") in READER.judged_keys(station)) is (told is not None)

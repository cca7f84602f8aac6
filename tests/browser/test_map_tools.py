"""What one does with the map besides looking: layers, zones, measuring, lines and areas, and the past."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Town, Visit, container_id, measured
from tests.browser.test_live_map import features, rows

PIPE = "urn:ngsi-ld:WaterObserved:pipe"
ON_THE_PIPE = "?at=15,47.70,-3.26"


@pytest.fixture(scope="module")
def pipe(town: Town) -> str:
    line = {"type": "LineString", "coordinates": [[-3.27, 47.70], [-3.25, 47.70]]}
    location = {"type": "GeoProperty", "value": line}
    town.write({"id": PIPE, "type": "WaterObserved", "name": named("Main"), "location": location, "flow": measured(3)})
    return PIPE


def named(text: str) -> dict[str, Any]:
    return {"type": "Property", "value": text}


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def press_on_map(page: Page, across: float, down: float) -> None:
    box = page.locator("[data-map]").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * down)


def test_a_layer_is_switched_off_in_list_map_and_address(visit: Callable[..., Visit], pipe: str) -> None:
    window = visit()
    page = window.open_map()
    page.get_by_text("Layers", exact=True).click()
    page.get_by_label(re.compile("Waste")).uncheck()
    expect(page.locator("[data-list] > li")).to_have_count(1)
    assert rows(page) == features(page) == [pipe]
    expect(page.locator("[data-without]")).to_have_text("without Waste")
    assert query(page)["without"] == ["waste"]
    assert window.list_axe_violations() == []


def test_a_line_is_drawn_and_can_be_chosen(visit: Callable[..., Visit], pipe: str) -> None:
    page = visit().open_map(ON_THE_PIPE)
    page.wait_for_timeout(500)
    press_on_map(page, 0.3, 0.5)
    expect(page.locator("#drawer h2")).to_have_text("Main")
    assert query(page)["selected"] == [pipe]


def draw_zone(page: Page, *moves: str) -> None:
    """By keyboard: a corner in the middle of the map, and one after each move of it."""
    page.get_by_text("Zone", exact=True).click()
    page.get_by_role("button", name="Draw a zone").click()
    page.keyboard.press("Enter")
    for key in moves:
        page.keyboard.press(key)
        page.wait_for_timeout(400)
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")


def test_a_zone_is_drawn_by_keyboard_and_kept(visit: Callable[..., Visit], pipe: str) -> None:
    window = visit()
    page = window.open_map(ON_THE_PIPE)
    draw_zone(page, "ArrowRight", "ArrowDown")
    expect(page.locator("#filter-zone")).to_have_value("drawn")
    expect(page.locator("[data-list] > li")).to_have_count(1)
    assert rows(page) == features(page) == [pipe]
    page.select_option("#filter-type", "water")
    page.get_by_label("Keep it under a name").fill("Old quay")
    page.get_by_role("button", name="Keep this zone").click()
    page.wait_for_selector("[data-map][data-ready]")
    expect(page.locator("#filter-zone option:checked")).to_have_text("in Old quay")
    assert query(page)["type"] == ["water"]
    assert rows(page) == [pipe]
    assert window.list_axe_violations() == []


def test_length_and_area_are_measured(visit: Callable[..., Visit]) -> None:
    page = visit().open_map("?at=14,47.70,-3.26")
    page.get_by_text("Measure", exact=True).click()
    for across, down in ((0.6, 0.3), (0.8, 0.3), (0.8, 0.6)):
        press_on_map(page, across, down)
        page.wait_for_timeout(50)
    expect(page.locator("[data-measured=length]")).to_have_text(re.compile(r"\d\.\d+\skm"))
    expect(page.locator("[data-measured=area]")).to_have_text(re.compile(r"\d+(\.\d+)?\s(ha|km²)"))
    page.keyboard.press("Backspace")
    expect(page.locator("[data-measured=area]")).to_have_text("–")


def test_the_past_is_replayed_and_said(visit: Callable[..., Visit]) -> None:
    window = visit()
    page = window.open_map("?type=waste")
    page.get_by_role("button", name="Past").click()
    page.get_by_role("button", name="One step back").click()
    status = page.locator("[data-status]")
    expect(status).to_contain_text("As it was on")
    expect(page.locator("[data-live]")).to_have_text("as it was then")
    assert sorted(rows(page)) == sorted(features(page))
    assert "moment" in query(page)
    assert window.list_axe_violations() == []
    page.reload()
    page.wait_for_selector("[data-map][data-ready]")
    expect(page.locator("[data-replay-when]")).to_contain_text("As it was on")
    page.get_by_label("Moment shown").press("Home")
    expect(page.locator("[data-list] > li")).to_have_count(0)
    page.get_by_label("Moment shown").press("Escape")
    expect(page.locator("[data-live]")).to_have_text("live")
    expect(page.locator("[data-list] > li")).to_have_count(8)
    assert "moment" not in query(page)


def test_the_player_comes_back_to_now_by_itself(visit: Callable[..., Visit]) -> None:
    page = visit().open_map(f"?search={container_id(2)[-2:]}")
    page.get_by_role("button", name="Past").click()
    page.get_by_role("button", name="One step back").click()
    page.get_by_label("Speed").select_option("1440")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("[data-live]")).to_have_text("live", timeout=10_000)
    expect(page.get_by_role("button", name="Play")).to_have_attribute("aria-pressed", "false")


def test_the_tools_fit_a_phone_in_the_dark_in_french(visit: Callable[..., Visit]) -> None:
    window = visit(390, locale="fr-FR", color_scheme="dark")
    page = window.open_map()
    page.get_by_text("Couches", exact=True).click()
    expect(page.get_by_label(re.compile("Déchets"))).to_be_visible()
    assert window.list_axe_violations() == []
    page.get_by_role("button", name="Passé").click()
    page.get_by_role("button", name="Un pas en arrière").click()
    expect(page.locator("[data-status]")).to_contain_text("Tel que c’était le")
    assert window.list_axe_violations() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_zone_that_is_none_is_refused_and_undone(visit: Callable[..., Visit], pipe: str) -> None:
    window = visit()
    page = window.open_map("?at=15,47.70,-3.26&type=waste")
    before = rows(page)
    draw_zone(page, "ArrowRight", "ArrowRight")
    expect(page.get_by_role("alert")).to_contain_text("The corners enclose no area.")
    expect(page.locator("#filter-zone")).to_have_value("")
    assert query(page)["type"] == ["waste"]
    assert "area" not in query(page)
    assert rows(page) == before
    assert window.list_axe_violations() == []
    page.select_option("#filter-state", "attention")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert ["400" in complaint for complaint in window.complaints] == [True]
    window.complaints.clear()


def test_a_zone_that_somebody_removes_leaves_the_open_map_with_everything(
    visit: Callable[..., Visit], town: Town, pipe: str
) -> None:
    zone = "urn:ngsi-ld:Zone:gone"
    ring = [[-3.28, 47.69], [-3.24, 47.69], [-3.24, 47.71], [-3.28, 47.69]]
    place = {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [ring]}}
    town.write({"id": zone, "type": "Zone", "name": named("Old"), "location": place})
    window = visit()
    page = window.open_map(f"?zone={zone}")
    town.remove(zone)
    page.select_option("#filter-type", "waste")
    expect(page.get_by_role("alert")).to_contain_text("no longer there")
    expect(page.locator("[data-list] > li")).to_have_count(8)
    page.wait_for_function("() => !new URLSearchParams(location.search).has('zone')")
    assert query(page)["type"] == ["waste"]
    window.complaints.clear()


def test_back_takes_a_choice_back(visit: Callable[..., Visit]) -> None:
    page = visit().open_map()
    page.select_option("#filter-type", "WasteContainer")
    expect(page.locator("[data-list] > li")).to_have_count(8)
    page.select_option("#filter-state", "attention")
    expect(page.locator("[data-list] > li")).to_have_count(2)
    page.wait_for_function("() => new URLSearchParams(location.search).has('state')")
    page.fill("#filter-search", "Po")
    page.wait_for_timeout(600)
    page.fill("#filter-search", "Point 00")
    expect(page.locator("[data-list] > li")).to_have_count(1)
    page.wait_for_function("() => new URLSearchParams(location.search).get('search') === 'Point 00'")
    page.go_back()
    page.wait_for_selector("[data-map][data-ready]")
    expect(page.locator("[data-list] > li")).to_have_count(2)
    expect(page.locator("#filter-search")).to_have_value("")
    page.go_back()
    expect(page.locator("#filter-state")).to_have_value("")
    assert query(page)["type"] == ["WasteContainer"]


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1280, 720), (800, 800), (390, 844)])
def test_the_layers_are_seen_whole(visit: Callable[..., Visit], width: int, height: int) -> None:
    page = visit(width, viewport={"width": width, "height": height}, locale="fr-FR").open_map()
    page.locator("[data-tool=layers] summary").click()
    box = page.locator("[data-tool=layers] .tool-body").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= height
    assert page.evaluate("(body => body.scrollHeight - body.clientHeight)(document.querySelector('.tool-body'))") == 0


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1280, 560), (800, 560)])
def test_whichever_group_of_the_rail_is_open_no_way_is_cut_off(
    visit: Callable[..., Visit], width: int, height: int
) -> None:
    page = visit(width, viewport={"width": width, "height": height}, locale="fr-FR").open_map()
    headings = page.locator(".rail details[name] > summary")
    assert headings.count() >= 4
    for heading in headings.all():
        if heading.locator("..").get_attribute("open") is None:
            heading.press("Enter")
        assert page.locator(".rail details[name][open]").count() == 1
        ways = page.locator(".rail :is(a, summary):visible")
        assert ways.count() >= 9
        for way in ways.all():
            box = way.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= height
            assert box["height"] >= 24
            assert way.evaluate("way => way.scrollWidth <= way.clientWidth")


def test_the_tools_stand_in_one_row_on_a_narrow_map(visit: Callable[..., Visit]) -> None:
    page = visit(800, locale="fr-FR").open_map()
    tops = {tool.bounding_box()["y"] for tool in page.locator(".map-tools :is(summary, .tool-button):visible").all()}  # type: ignore[index]
    assert len(tops) == 1
    expect(page.get_by_role("button", name="Passé")).to_be_visible()

import re
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Town, Visit, container, container_id


def rows(page: Page) -> list[str]:
    ids: list[str] = page.eval_on_selector_all("[data-list] > li", "all => all.map(row => row.dataset.id)")
    return ids


def features(page: Page) -> list[str]:
    """What the map's own source holds."""
    ids: list[str] = page.evaluate("document.querySelector('[data-map]').objects()")
    return ids


def test_map_and_list_show_the_same_set(visit: Callable[..., Visit]) -> None:
    page = visit().open_map()
    expect(page.locator("[data-status]")).to_have_text("8 objects, 2 need attention")
    assert sorted(rows(page)) == sorted(features(page)) == sorted(container_id(number) for number in range(8))


def let_through_late(route: Route) -> None:
    time.sleep(1)
    route.continue_()


@pytest.mark.parametrize("late", ["**/console/map.geojson*", "**/basemap/style/*"])
def test_the_opening_view_holds_everything_whatever_comes_last(visit: Callable[..., Visit], late: str) -> None:
    window = visit()
    window.page.route(late, let_through_late)
    page = window.open_map()
    expect(page).to_have_url(re.compile("at="))
    zoom, lat, lng = (float(part) for part in parse_qs(urlsplit(page.url).query)["at"][0].split(","))
    assert (round(lat, 2), round(lng, 2)) == (47.69, -3.25)
    assert zoom > 11.1


def test_the_filter_sentence_changes_both_and_the_address(visit: Callable[..., Visit]) -> None:
    page = visit().open_map()
    page.select_option("#filter-state", "attention")
    expect(page.locator("[data-list] > li")).to_have_count(2)
    assert sorted(rows(page)) == sorted(features(page)) == [container_id(0), container_id(1)]
    page.select_option("#filter-commune", "Port")
    expect(page.locator("[data-list] > li")).to_have_count(1)
    query = parse_qs(urlsplit(page.url).query)
    assert (query["state"], query["commune"]) == (["attention"], ["Port"])
    page.reload()
    expect(page.locator("[data-list] > li")).to_have_count(1)


def test_a_threshold_can_be_named_for_a_type(visit: Callable[..., Visit]) -> None:
    page = visit().open_map()
    expect(page.locator("#filter-above")).to_be_hidden()
    page.select_option("#filter-type", "WasteContainer")
    page.fill("#filter-above", "45")
    expect(page.locator("[data-list] > li")).to_have_count(3)


def test_nothing_found_is_a_sentence_with_a_way_out(visit: Callable[..., Visit]) -> None:
    page = visit().open_map("?search=nowhere")
    expect(page.get_by_text("No object matches this filter.")).to_be_visible()
    page.locator("[data-empty] a").click()
    expect(page.locator("[data-list] > li")).to_have_count(8)


def test_a_change_is_seen_within_two_seconds_without_reload(visit: Callable[..., Visit], town: Town) -> None:
    page = visit().open_map()
    expect(page.locator("[data-live]")).to_have_text("live")
    row = page.locator(f'li[data-id="{container_id(7)}"]')
    for level in (0.31, 0.62):
        town.fill(7, level)
        expect(row.locator("[data-slot=value]")).to_have_text(f"{level * 100:.0f}%", timeout=2_000)
    town.fill(7, 0.99)
    expect(page.locator("[data-status]")).to_have_text("8 objects, 3 need attention", timeout=2_000)
    expect(row).to_have_class("bad")
    town.fill(7, 0.0)
    expect(page.locator("[data-status]")).to_have_text("8 objects, 2 need attention", timeout=2_000)


def test_a_new_object_joins_map_and_list(visit: Callable[..., Visit], town: Town) -> None:
    page = visit().open_map("?type=BikeHireDockingStation")
    expect(page.locator("[data-list] > li")).to_have_count(0)
    expect(page.locator("[data-live]")).to_have_text("live")
    station = "urn:ngsi-ld:BikeHireDockingStation:1"
    place = {"type": "Point", "coordinates": [-3.2, 47.7]}
    town.write({"id": station, "type": "BikeHireDockingStation", "location": {"type": "GeoProperty", "value": place}})
    expect(page.locator("[data-list] > li")).to_have_count(1, timeout=8_000)
    assert features(page) == [station]


def test_the_selected_object_opens_the_drawer_and_escape_closes_it(visit: Callable[..., Visit]) -> None:
    page = visit().open_map("?type=waste")
    page.locator(f'li[data-id="{container_id(2)}"] a').focus()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("complementary", name="Selected object")
    expect(drawer.get_by_role("heading", name="Point 02")).to_be_visible()
    expect(drawer.locator(".sparkline .line")).to_be_attached()
    assert parse_qs(urlsplit(page.url).query)["selected"] == [container_id(2)]
    expect(drawer).to_be_focused()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(page.locator(f'li[data-id="{container_id(2)}"] a')).to_be_focused()


def test_a_long_list_grows_only_when_asked_and_shows_the_chosen_one_apart(
    visit: Callable[..., Visit], town: Town
) -> None:
    town.write(*(bench(number) for number in range(450)))
    window = visit()
    page = window.open_map(f"?type=Bench&selected={bench(449)['id']}")
    expect(page.locator("[data-list] > li")).to_have_count(201)
    expect(page.locator("[data-apart] a")).to_have_attribute("aria-current", "true")
    assert window.list_axe_violations() == []
    page.get_by_role("button", name="Show more").press("Enter")
    expect(page.locator("[data-list] > li")).to_have_count(401)
    expect(page.locator("[data-list] > li").nth(200).locator("a")).to_be_focused()
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("[data-list] > li")).to_have_count(450)
    expect(page.locator("[data-apart]")).to_have_count(0)
    page.fill("#filter-search", "Bench 4")
    expect(page.locator("[data-list] > li")).to_have_count(61)
    page.fill("#filter-search", "Bench")
    expect(page.locator("[data-list] > li")).to_have_count(201)


def test_the_keyboard_jumps_over_the_list(visit: Callable[..., Visit]) -> None:
    page = visit().open_map("?type=waste")
    page.locator(".list-pane").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("[data-map] canvas")).to_be_focused()
    page.locator(".list-pane").focus()
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(".map-tools summary").first).to_be_focused()
    expect(page.locator("[data-list] > li")).to_have_count(8)


def bench(number: int) -> dict[str, object]:
    name = {"type": "Property", "value": f"Bench {number}"}
    return {"id": f"urn:ngsi-ld:Bench:{number:03d}", "type": "Bench", "name": name}


def test_a_click_on_a_marker_selects_it(visit: Callable[..., Visit]) -> None:
    page = visit().open_map(f"?search=Point+04&at=16,{47.68 + 0.009 * 0:.5f},{-3.30 + 0.013 * 4:.5f}")
    page.wait_for_timeout(400)
    box = page.locator("[data-map]").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#drawer h2")).to_have_text("Point 04")


def test_the_search_is_a_key_away(visit: Callable[..., Visit]) -> None:
    page = visit().open("/console")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()


def test_on_a_phone_map_and_list_are_a_stack(visit: Callable[..., Visit]) -> None:
    page = visit(390).open_map()
    pane, shown = page.locator(".list-pane").bounding_box(), page.locator("[data-map]").bounding_box()
    assert pane is not None
    assert shown is not None
    assert pane["y"] >= shown["y"] + shown["height"] - 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_one_object_far_away_does_not_take_the_view_off_the_territory(visit: Callable[..., Visit], town: Town) -> None:
    paris = {"type": "Point", "coordinates": [2.3522, 48.8566]}
    far = "urn:ngsi-ld:BikeHireDockingStation:9"
    town.write({"id": far, "type": "BikeHireDockingStation", "location": {"type": "GeoProperty", "value": paris}})
    page = visit().open_map()
    expect(page.locator("[data-status]")).to_contain_text("objects")
    page.wait_for_function("new URLSearchParams(location.search).has('at')")
    zoom, latitude, longitude = map(float, parse_qs(urlsplit(page.url).query)["at"][0].split(","))
    assert zoom > 10
    assert latitude == pytest.approx(47.7, abs=0.1)
    assert longitude == pytest.approx(-3.25, abs=0.1)
    assert far in features(page)


def test_the_map_of_a_members_tenant_is_as_live_as_the_pools(visit: Callable[..., Visit], town: Town) -> None:
    """What pages say of who looks is the same everywhere: else the page believes its session over."""
    town.write_in("plouhinec", container(20, 0.5))
    window = visit()
    with window.page.expect_request("**/live/events*"):
        page = window.open_map("?in=plouhinec")
    expect(page.locator("[data-live]")).to_have_text("live")
    expect(page.locator(".banner", has_text="The session")).to_have_count(0)
    assert rows(page) == [container_id(20)]

"""Unknown devices, coverage and the codec bench as somebody in the field uses them."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit

EUI = "a84041a1b1830042"
PLACE = {"latitude": 47.7482, "longitude": -3.3702}
UPLINK: dict[str, Any] = {
    "deviceInfo": {"devEui": EUI, "deviceName": "Hall", "deviceProfileName": "Cayenne LPP, any device"},
    "deduplicationId": "1",
    "devAddr": "00189440",
    "fCnt": 1,
    "fPort": 2,
    "data": "AWcA4Q==",
    "time": "2026-01-05T08:00:00Z",
    "rxInfo": [{"gatewayId": "7276ff0039990001", "rssi": -80, "snr": 7.5}],
}


def send(window: Visit, number: int, eui: str = EUI) -> None:
    """As ChirpStack tells a frame by HTTP."""
    address = window.page.url.split("/console")[0] + "/api/connectors/chirpstack?event=up"
    device = {**UPLINK["deviceInfo"], "devEui": eui}
    answer = window.page.request.post(address, data={**UPLINK, "deviceInfo": device, "fCnt": number})
    assert answer.status in (202, 204), answer.text()


def test_a_device_that_waits_is_adopted_where_it_hangs(visit: Callable[..., Visit]) -> None:
    window = visit(390, geolocation=PLACE, permissions=["geolocation"])
    page = window.open("/console/quarantine")
    for number in (1, 2):
        send(window, number)
    page.reload()
    assert window.list_axe_violations() == []
    page.get_by_role("button", name=f"Adopt {EUI}").click()
    expect(page.get_by_label("Profile")).to_have_value("cayenne-lpp")
    bench = page.locator("[data-follows]")
    page.get_by_label("Profile").select_option("generic-climate")
    expect(bench).to_have_attribute("href", "/console/codecs/generic-climate?f_port=2&payload=016700e1")
    page.get_by_label("Profile").select_option("cayenne-lpp")
    expect(bench).to_have_attribute("href", "/console/codecs/cayenne-lpp?f_port=2&payload=016700e1")
    page.get_by_role("button", name="Use my position").click()
    expect(page.get_by_label("Latitude")).to_have_value("47.748200")
    choose_on_map(page)
    assert window.list_axe_violations() == []
    page.get_by_role("button", name="Adopt the device").click()
    expect(page.get_by_role("status").filter(has_text="1 device adopted")).to_be_visible()
    page.goto(page.url.split("/console")[0] + "/console/coverage")
    page.wait_for_selector("[data-map][data-ready]")
    expect(page.get_by_role("link", name="LoRaWAN")).to_be_visible()
    assert window.list_axe_violations() == []


def choose_on_map(page: Page) -> None:
    """By pressing where it stands; and by keyboard, from the middle."""
    page.get_by_role("button", name="Choose on the map").click()
    page.wait_for_selector("[data-map][data-ready]")
    expect(page.locator("[data-place-map]")).to_be_in_viewport(ratio=1)
    expect(page.locator("[data-place-map]")).to_be_focused()
    spot = page.locator("[data-map]").bounding_box()
    assert spot is not None
    page.mouse.click(spot["x"] + spot["width"] / 2, spot["y"] + 40)
    latitude, longitude = (float(page.get_by_label(name).input_value()) for name in ("Latitude", "Longitude"))
    assert 47.7484 < latitude < 47.7530, "north of where it was"
    assert abs(longitude - PLACE["longitude"]) < 0.0002
    page.get_by_role("button", name="Take the middle of the map").click()
    expect(page.get_by_label("Latitude")).to_have_value("47.748200")
    expect(page.locator("[data-place-state]")).to_have_text("The place is taken from the map.")


def register(window: Visit, eui: str) -> None:
    record = {"hardware_id": eui, "profile": "cayenne-lpp", "entity_id": f"urn:ngsi-ld:Building:{eui}", "name": "Attic"}
    address = window.page.url.split("/console")[0] + "/api/devices"
    assert window.page.request.post(address, data=[record]).ok


def test_the_first_frame_of_a_new_device_comes_by_itself(visit: Callable[..., Visit]) -> None:
    eui = "a84041a1b1830077"
    window = visit(390)
    page = window.open("/console/devices")
    register(window, eui)
    page.goto(page.url + f"/{eui}?new=1")
    expect(page.get_by_text("Never heard")).to_be_visible()
    page.get_by_text("Change what is registered").click()
    page.get_by_label("Name", exact=True).fill("Half writ")
    page.get_by_label("Name", exact=True).blur()
    send(window, 1, eui)
    expect(page.get_by_text("Its first frame is here")).to_be_visible(timeout=12_000)
    expect(page.get_by_role("table", name="Last frames")).to_contain_text("01 67 00 e1")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Half writ")
    assert window.list_axe_violations() == []


def test_a_device_removed_by_mistake_is_put_back(visit: Callable[..., Visit]) -> None:
    eui = "a84041a1b1830078"
    window = visit(1280)
    page = window.open("/console/devices")
    register(window, eui)
    page.goto(page.url + f"/{eui}")
    page.get_by_text("Remove", exact=True).click()
    page.get_by_role("button", name="Remove it now").click()
    assert window.list_axe_violations() == []
    page.get_by_role("button", name="Put it back").click()
    expect(page.get_by_role("heading", name="Attic")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="registered again")).to_be_visible()


def test_the_bench_works_without_scripts(visit: Callable[..., Visit]) -> None:
    window = visit(java_script_enabled=False)
    page = window.open("/console/codecs/cayenne-lpp")
    page.get_by_label("Payload").fill("01:67:00:e1")
    page.get_by_role("button", name="Read the frame").click()
    expect(page.get_by_role("region", name="Attributes")).to_contain_text("22.5")
    page.get_by_label("Offset, rule 1", exact=True).fill("-2.5")
    page.get_by_role("button", name="Read the frame").click()
    expect(page.get_by_role("region", name="Attributes")).to_contain_text("20")


@pytest.mark.parametrize(
    "path", ["/console/codecs", "/console/codecs/cayenne-lpp?payload=016700e1", "/console/connectors"]
)
def test_pages_of_the_fleet_suit_phones_and_everybody(visit: Callable[..., Visit], path: str) -> None:
    window = visit(390, color_scheme="dark", locale="fr-FR")
    window.open(path)
    assert window.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert window.list_axe_violations() == []

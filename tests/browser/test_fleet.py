"""Unknown devices, coverage and the codec bench as somebody in the field uses them."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

EUI = "a84041a1b1830042"
PLACE = {"latitude": 47.7482, "longitude": -3.3702}
UPLINK = {
    "deviceInfo": {"devEui": EUI, "deviceName": "Hall", "deviceProfileName": "Cayenne LPP, any device"},
    "deduplicationId": "1",
    "devAddr": "00189440",
    "fCnt": 1,
    "fPort": 2,
    "data": "AWcA4Q==",
    "time": "2026-01-05T08:00:00Z",
    "rxInfo": [{"gatewayId": "7276ff0039990001", "rssi": -80, "snr": 7.5}],
}


def send(window: Visit, number: int) -> None:
    """As ChirpStack tells a frame by HTTP."""
    address = window.page.url.split("/console")[0] + "/api/connectors/chirpstack?event=up"
    answer = window.page.request.post(address, data={**UPLINK, "fCnt": number})
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
    page.get_by_role("button", name="Where I am").click()
    expect(page.get_by_label("Latitude")).to_have_value("47.748200")
    assert window.list_axe_violations() == []
    page.get_by_role("button", name="Adopt the device").click()
    expect(page.get_by_role("status").filter(has_text="1 device adopted")).to_be_visible()
    page.goto(page.url.split("/console")[0] + "/console/coverage")
    page.wait_for_selector("[data-map][data-ready]")
    expect(page.get_by_role("link", name="LoRaWAN")).to_be_visible()
    assert window.list_axe_violations() == []


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

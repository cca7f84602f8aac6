"""Devices in a browser: whoever mounts one registers it with a phone; whoever runs them looks and changes several."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Town, Visit

EUIS = [f"70b3d5499e0000{number:02x}" for number in range(3)]
NEW = "70b3d5499e0000aa"
PAGE = f"/console/devices/{EUIS[0]}"
NEW_PAGE = "/console/devices/new"
STEP = f"{NEW_PAGE}?label=70b3d5499e0000bb"


@pytest.fixture(scope="module")
def fleet(town: Town) -> Iterator[Town]:
    """Three devices of which the first has a command that waits; afterwards none."""
    records = [
        {
            "hardware_id": eui,
            "profile": "generic-climate",
            "entity_id": f"urn:ngsi-ld:IndoorEnvironmentObserved:{eui}",
            "name": f"Room {number}",
            "groups": ["Schools"],
            "technology": "lorawan",
        }
        for number, eui in enumerate(EUIS)
    ]
    with httpx.Client(base_url=town.address, timeout=20) as client:
        assert client.post("/api/devices", json=records).status_code == 201
        command = {"f_port": 1, "payload_hex": "01ff"}
        assert client.post(f"/api/devices/{EUIS[0]}/commands", json=command).status_code == 201
        yield town
        for eui in (*EUIS, NEW):
            client.delete(f"/api/devices/{eui}")


@pytest.mark.parametrize(("width", "scheme", "locale"), [(1280, "light", "en-GB"), (390, "dark", "fr-FR")])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    visit: Callable[..., Visit], fleet: Town, tmp_path: Path, width: int, scheme: str, locale: str
) -> None:
    window = visit(width, color_scheme=scheme, locale=locale)
    devices = "/console/devices?group=Schools&search=room"
    for path in (devices, PAGE, f"{PAGE}?new=1", NEW_PAGE, STEP, f"{STEP}&profile=generic-climate&object=Room"):
        page = window.open(path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert window.list_axe_violations() == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    sheet = tmp_path / "list.csv"
    sheet.write_text(f"deveui;profil\n{NEW};generic-climate\n{NEW};nothing\n", encoding="utf-8")
    page = window.open("/console/devices/import")
    assert window.list_axe_violations() == []
    page.locator("input[type=file]").set_input_files(sheet)
    page.locator("form .button").first.click()
    expect(page.locator("table")).to_be_visible()
    assert window.list_axe_violations() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_device_is_registered_with_a_phone_where_it_hangs(visit: Callable[..., Visit], fleet: Town) -> None:
    place = {"latitude": 47.70012, "longitude": -3.28034, "accuracy": 7}
    page = visit(390, geolocation=place, permissions=["geolocation"]).open(NEW_PAGE)
    page.get_by_label("What does its label say?").fill(NEW.upper())
    page.keyboard.press("Enter")
    page.get_by_label("Maker, model").fill("humidity bytes")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Choose Temperature and humidity").click()
    page.get_by_role("button", name="Use my position").click()
    expect(page.locator("[data-place-state]")).to_have_text("Your position, to within 7 m.")
    expect(page.get_by_label("Latitude")).to_have_value("47.700120")
    page.get_by_label("Its name").fill("Gym")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("Waiting for its first frame")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Gym")


CAMERA = """
window.BarcodeDetector = class {
  static getSupportedFormats = async () => ["qr_code"];
  detect = async () => [{ rawValue: "LW:D0:70B3D57ED0000010:70B3D5499E0000BB:000AF8BE" }];
};
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").fillRect(0, 0, 9, 9);
  return (window.filmed = canvas.captureStream(5));
};
"""
"""What the phone sees: Chromium has no detector of its own here."""


def test_a_label_is_read_by_the_camera_where_the_browser_can(visit: Callable[..., Visit], fleet: Town) -> None:
    window = visit(390)
    window.page.add_init_script(CAMERA)
    page = window.open(NEW_PAGE)
    page.get_by_role("button", name="Scan with the camera").click()
    expect(page.get_by_text("What kind of device is it?")).to_be_visible()
    expect(page.get_by_text("70b3d5499e0000bb")).to_be_visible()


def test_a_camera_that_may_not_be_used_is_told(visit: Callable[..., Visit], fleet: Town) -> None:
    window = visit(390)
    window.page.add_init_script(CAMERA + "navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error());")
    page = window.open(NEW_PAGE)
    page.get_by_role("button", name="Scan with the camera").click()
    expect(page.get_by_text("The camera cannot be used")).to_be_visible()


def test_several_are_changed_and_one_is_removed_without_scripts(visit: Callable[..., Visit], fleet: Town) -> None:
    page = visit(java_script_enabled=False).open("/console/devices?group=Schools")
    page.get_by_label("Tick Room 1").check()
    page.get_by_label("Tick Room 2").check()
    page.locator("summary", has_text="Change several").click()
    page.get_by_label("Tag or group").fill("summer")
    page.get_by_role("button", name="Add tag").click()
    expect(page.locator("main [role=status]").first).to_have_text("2 of 2 devices are changed.")
    page.get_by_role("rowheader").get_by_role("link", name="Room 2").click()
    expect(page.get_by_role("link", name="summer")).to_be_visible()
    expect(page.get_by_role("button", name="Remove it now")).to_be_hidden()
    page.locator("summary", has_text="Remove").click()
    page.get_by_role("button", name="Remove it now").click()
    expect(page.locator("main [role=status]").first).to_have_text(
        "The device Room 2 is removed. Its object and its history stay."
    )

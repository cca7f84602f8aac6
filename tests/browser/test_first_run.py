"""A newcomer with an empty folder: from the link that the first start prints to a live object on the map."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Page

from parvis.web.official import is_there
from tests.browser.conftest import ROOT, START_LINES, Town, Visit

LINK = re.compile(r"(http://[\w.:]+)(/welcome\?token=\S+)")
RUN = "/console/first-run"
PASSWORD = "a sentence that works well"


@dataclass(frozen=True)
class Empty:
    address: str
    link: str


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Empty]:
    """`parvis up` on a folder with nothing in it."""
    command = [sys.executable, "-c", "from parvis.cli import main; main()", "up"]
    options = ["--data", str(tmp_path_factory.mktemp("empty")), "--port", "0", "--mqtt-port", "0"]
    process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = (process.stdout.readline() for _ in range(START_LINES))
        found = next(found for found in map(LINK.search, lines) if found)
        yield Empty(found[1].replace("127.0.0.1", "localhost"), found[2])
    finally:
        process.terminate()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def town(empty: Empty) -> Iterator[Town]:
    town = Town(empty.address)
    yield town
    town.close()


@pytest.fixture(scope="module")
def outlines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ring = [[-3.42, 47.70], [-3.30, 47.70], [-3.30, 47.78], [-3.42, 47.78], [-3.42, 47.70]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    path = tmp_path_factory.mktemp("files") / "communes.geojson"
    path.write_text(json.dumps({"type": "Feature", "properties": {"nom": "Trevalan"}, "geometry": shape}))
    return path


def is_sound(window: Visit) -> None:
    """On a phone in the dark, and on a desk by day."""
    for width, scheme in ((390, "dark"), (1280, "light")):
        window.page.set_viewport_size({"width": width, "height": 800})
        window.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert window.list_axe_violations() == [], (window.page.url, width)
        assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (window.page.url, width)


def choose_territory(page: Page) -> None:
    if is_there():
        page.get_by_label("Commune or group of communes").fill("lorient agglo")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="This one").first.click()
    page.get_by_label("Name", exact=True).fill("Trevalan")
    page.locator("main form button.button", has_text=re.compile("This is our territory|Keep this")).click()


def what_to_type(page: Page) -> dict[str, str]:
    return dict(zip(page.locator("dt").all_inner_texts(), page.locator("dd code").all_inner_texts(), strict=True))


def publish(told: dict[str, str], temperature_c: float) -> None:
    """What the page says is typed into a device, as a client of somebody else."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "esp")
    client.username_pw_set(told["User name"], told["Password"])
    client.connect(told["Server"], int(told["Port"]))
    client.loop_start()
    reading = json.dumps({"temperature_c": temperature_c})
    client.publish(told["Topic"], reading, qos=int(told["QoS"])).wait_for_publish(10)
    client.loop_stop()
    client.disconnect()


def test_from_an_empty_folder_to_a_live_object(visit: Callable[..., Visit], empty: Empty, outlines: Path) -> None:
    window = visit()
    page = window.open(empty.link)
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{RUN}/territory")
    is_sound(window)
    choose_territory(page)

    page.wait_for_url(f"**{RUN}/ground")
    page.get_by_text("There is no ground yet").wait_for()
    is_sound(window)
    page.set_input_files("#first-ground", outlines)
    page.get_by_role("button", name="Show it").first.click()
    page.wait_for_url("**?fit=1")
    page.wait_for_selector("[data-map][data-ready]")
    before = page.input_value("#first-longitude")
    page.locator("[data-map] canvas").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("before => document.querySelector('#first-longitude').value !== before", arg=before)
    page.get_by_role("button", name="It opens here").click()

    page.wait_for_url(f"**{RUN}/way-in")
    page.get_by_role("button", name="MQTT devices").click()
    page.get_by_role("button", name="Make the key").click()
    page.wait_for_selector(".first-key")
    told = what_to_type(page)
    publish(told, 21.5)
    page.wait_for_selector("#hearing .good", timeout=15_000)
    assert page.locator(".first-key").is_visible(), "the key can still be copied"
    is_sound(window)
    page.get_by_role("link", name="Adopt").click()
    page.select_option("#adopt-profile", "generic-climate")
    page.locator("[name^=latitude]").fill("47.74")
    page.locator("[name^=longitude]").fill("-3.35")
    page.get_by_role("button", name=re.compile("Register|Adopt")).last.click()
    page.wait_for_url("**/console/quarantine?adopted=1**")

    page.goto(f"{empty.address}/console")
    page.get_by_role("link", name="Go on").click()
    page.wait_for_url(f"**{RUN}/people")
    page.get_by_label("User name").fill("jean")
    page.get_by_role("button", name="Make a link").click()
    assert f"{empty.address}/welcome?token=" in page.locator(".first-key").inner_text()
    is_sound(window)
    page.get_by_role("button", name="To the live map").click()

    page.wait_for_selector("[data-map][data-ready]")
    assert "Trevalan is set up. 1 object" in page.locator(".first-sentence").inner_text()
    page.wait_for_selector("[data-live].on")
    publish(told, 23.5)
    page.locator("[data-list] li", has_text="23.5").wait_for(timeout=15_000)


def test_it_works_without_scripts(visit: Callable[..., Visit], empty: Empty) -> None:
    page = visit(java_script_enabled=False).open("/console/sign-in")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console")
    page.goto(f"{empty.address}{RUN}/ground")
    page.fill("#first-latitude", "47,75")
    page.get_by_role("button", name="It opens here").click()
    page.goto(f"{empty.address}{RUN}/way-in?way=httppush")
    page.get_by_role("button", name="Make the key").click()
    assert page.get_by_text("Nothing has come yet").is_visible()
    page.get_by_role("link", name="Look again").click()
    assert page.get_by_role("button", name="Go on").is_visible()

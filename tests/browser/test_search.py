"""The palette: whatever one looks for, without taking the hands off the keyboard."""

import time
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Town, Visit, container_id

FIELD = "#search"
CHOSEN = "[data-palette] [aria-selected=true]"


def open_palette(page: Page, key: str = "Control+k") -> None:
    page.keyboard.press(key)
    expect(page.locator("[data-palette]")).to_be_visible()


def test_an_object_is_typed_chosen_and_opened_by_keys_alone(visit: Callable[..., Visit]) -> None:
    page = visit().open("/console")
    open_palette(page)
    page.keyboard.type("point 02")
    expect(page.get_by_role("option", name="Point 02")).to_be_visible()
    page.keyboard.press("ArrowDown")
    assert page.locator(FIELD).get_attribute("aria-activedescendant") == page.locator(CHOSEN).get_attribute("id")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/console/entities/{container_id(2)}")


def test_a_slash_opens_it_and_escape_closes_it(visit: Callable[..., Visit]) -> None:
    page = visit().open("/console/devices")
    open_palette(page, "/")
    expect(page.locator(FIELD)).to_be_focused()
    expect(page.get_by_role("option", name="Import a file")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-palette]")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator(FIELD)).not_to_be_focused()


def test_an_object_is_found_a_moment_after_it_was_written(visit: Callable[..., Visit], town: Town) -> None:
    page = visit().open("/console")
    town.write({"id": "urn:ngsi-ld:Tree:1", "type": "Tree", "name": {"type": "Property", "value": "Chêne de la Grève"}})
    deadline = time.monotonic() + 20
    while "Chêne de la Grève" not in page.request.get(f"{town.address}/console/search?q=CHENE+gre").text():
        assert time.monotonic() < deadline, "the index of words never heard of it"
        page.wait_for_timeout(200)
    open_palette(page)
    page.keyboard.type("CHENE gre")
    expect(page.get_by_role("option", name="Chêne de la Grève")).to_be_visible()


def test_without_a_choice_enter_leads_to_the_page_of_results(visit: Callable[..., Visit]) -> None:
    page = visit().open("/console")
    open_palette(page)
    page.keyboard.type("point 03")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/search?q=point+03")
    expect(page.get_by_role("link", name="Point 03")).to_be_visible()


def test_it_works_without_scripts(visit: Callable[..., Visit]) -> None:
    page = visit(java_script_enabled=False).open("/console")
    page.fill(FIELD, "point 04")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Point 04")).to_be_visible()


def test_axe_finds_nothing_in_the_open_palette(visit: Callable[..., Visit]) -> None:
    for scheme in ("light", "dark"):
        window = visit(color_scheme=scheme)
        window.open("/console")
        open_palette(window.page)
        window.page.keyboard.type("po")
        expect(window.page.get_by_role("option").first).to_be_visible()
        window.page.keyboard.press("ArrowDown")
        assert window.list_axe_violations() == []


def test_a_palette_that_gets_no_answer_says_so(visit: Callable[..., Visit]) -> None:
    window = visit(locale="fr-FR")
    page = window.open("/console")
    open_palette(page)
    page.route("**/typed-ahead*", lambda route: route.abort())
    page.keyboard.type("point 03")
    expect(page.locator("[data-palette]")).to_contain_text("La recherche ne répond pas.")
    expect(page.locator("[data-found]")).to_contain_text("La recherche ne répond pas.")
    assert window.list_axe_violations() == []
    page.unroute("**/typed-ahead*")
    page.keyboard.type("x")
    page.keyboard.press("Backspace")
    expect(page.get_by_role("option", name="Point 03")).to_be_visible()
    window.complaints.clear()


def test_figures_that_are_no_longer_kept_true_say_so(visit: Callable[..., Visit]) -> None:
    window = visit()
    window.page.clock.install()
    page = window.open("/console/system")
    page.route("**/console/system", lambda route: route.abort())
    page.clock.run_for(6_000)
    expect(page.locator(".outdated")).to_contain_text("the server does not answer")
    assert window.list_axe_violations() == []
    page.unroute("**/console/system")
    page.clock.run_for(6_000)
    expect(page.locator(".outdated")).to_have_text("")
    window.complaints.clear()

"""What an import brings of a type that no domain knows: found from its report, on list and map, and by its name."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import Visit

TREES: FilePayload = {
    "name": "arbres.csv",
    "mimeType": "text/csv",
    "buffer": b"id arbre;nom;hauteur (m);longitude;latitude\n"
    b"A1;Le vieux tilleul;14,5;-3,29;47,70\nA2;Platane du port;9;-3,27;47,69\n",
}
PATIENCE_MS = 20_000


def plant(page: Page) -> None:
    page.get_by_label("File").set_input_files(TREES)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_label("Type", exact=True)).to_have_value("Tree")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="Report")).to_be_visible(timeout=PATIENCE_MS)


@pytest.mark.parametrize("width", [390, 1280])
def test_an_imported_tree_is_found_from_its_report(visit: Callable[..., Visit], width: int) -> None:
    window = visit(width)
    page = window.open("/console/imports")
    plant(page)
    page.get_by_role("link", name="Its objects on map and list").click()
    page.wait_for_selector("[data-map][data-ready]")
    expect(page.locator("[data-status]")).to_have_text("2 objects, nothing to report")
    names = page.locator("[data-list] .name")
    expect(names).to_have_text(["Le vieux tilleul", "Platane du port"])
    assert len(page.evaluate("document.querySelector('[data-map]').objects()")) == 2
    expect(page.get_by_role("link", name="from the import arbres.csv")).to_be_attached()
    assert window.list_axe_violations() == []

    names.first.click()
    drawer = page.get_by_label("Selected object")
    expect(drawer).to_contain_text("Nothing is measured of this object.")
    drawer.get_by_role("link", name="Open its page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Le vieux tilleul")
    expect(page.locator("[data-mini-map] [data-map][data-ready]")).to_be_visible()
    assert "stored just now" in page.locator("tr[data-attribute=height]").inner_text()
    assert window.list_axe_violations() == []


def test_a_tree_is_found_among_all_objects(visit: Callable[..., Visit]) -> None:
    window = visit()
    page = window.open("/console/imports")
    plant(page)
    window.open_map("?search=platane")
    expect(page.locator("[data-list] .name")).to_have_text(["Platane du port"])
    window.open_map()
    page.get_by_role("navigation").get_by_role("link", name="Other", exact=True).click()
    page.wait_for_selector("[data-map][data-ready]")
    expect(page.locator("[data-list] .name")).to_have_count(2)
    page.get_by_label("Which objects").select_option("Tree")
    expect(page.locator("[data-status]")).to_have_text("2 objects, nothing to report")
    expect(page).to_have_url(re.compile(r"[?&]type=Tree(&|$)"))


def test_the_buttons_of_a_long_preview_stay_at_hand(visit: Callable[..., Visit]) -> None:
    page = visit().open("/console/imports")
    rows = "".join(f"A{number};Tilleul;{number},5;-3,29;47,70\n" for number in range(1, 40))
    body = f"id arbre;nom;hauteur (m);longitude;latitude\n{rows}".encode()
    page.get_by_label("File").set_input_files({**TREES, "buffer": body})
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_in_viewport()
    expect(page.locator("[data-plot] [data-map][data-ready]")).to_be_attached(timeout=PATIENCE_MS)

"""Imports in a browser: from a file to objects on the map, and nothing for axe to find on the way."""

from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, expect

from tests.browser.conftest import Visit

TREES: FilePayload = {
    "name": "lampadaires.csv",
    "mimeType": "text/csv",
    "buffer": b"ref;x;y;puissance (W)\nL1;218400,5;6755200,5;40\nL2;218500,5;6755300,5;60\nL3;zz;6755300,5;60\n",
}
PATIENCE_MS = 20_000


@pytest.mark.parametrize("width", [390, 1280])
def test_a_file_becomes_objects(visit: Callable[..., Visit], width: int) -> None:
    window = visit(width)
    page = window.open("/console/imports")
    assert window.list_axe_violations() == []
    page.get_by_label("File").set_input_files(TREES)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("lampadaires.csv")
    expect(page.get_by_label("Type", exact=True)).to_have_value("Streetlight")
    expect(page.get_by_label("Projection")).to_have_value("EPSG:2154")
    assert window.list_axe_violations() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.get_by_role("button", name="Check without writing").click()
    expect(page.get_by_role("heading", name="Result of the check")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("region", name="What is left out")).to_contain_text("zz, 6755300")
    assert window.list_axe_violations() == []

    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="Report")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("Undo the import", exact=True)).to_be_visible()
    assert window.list_axe_violations() == []


def test_nothing_needs_scripts(visit: Callable[..., Visit]) -> None:
    page = visit(java_script_enabled=False).open("/console/imports")
    page.get_by_label("File").set_input_files(TREES)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("lampadaires.csv")

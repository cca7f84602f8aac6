"""Leaving with everything, in a browser: asked for, made, and there to be fetched."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

PAGE = "/console/exports"


@pytest.mark.parametrize(("width", "scheme", "locale"), [(1280, "light", "en-GB"), (390, "dark", "fr-FR")])
def test_a_bundle_is_made_and_fetched_and_axe_finds_nothing(
    visit: Callable[..., Visit], width: int, scheme: str, locale: str
) -> None:
    window = visit(width, color_scheme=scheme, locale=locale)
    page = window.open(PAGE)
    assert window.list_axe_violations() == []

    page.locator(f"form[action='{PAGE}'] button").click()
    expect(page.locator("table")).to_be_visible(timeout=60_000)
    expect(page.locator(f"form[action='{PAGE}']")).to_be_visible(timeout=20_000)
    page.evaluate("document.querySelectorAll('main details').forEach((one) => (one.open = true))")
    assert window.list_axe_violations() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    with page.expect_download() as coming:
        page.locator(f"form[action^='{PAGE}/']").first.locator("button").click()
    assert coming.value.suggested_filename.endswith(".zip")

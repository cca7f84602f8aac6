from collections.abc import Callable

from playwright.sync_api import Response, expect

from tests.browser.conftest import Visit

FIRST_PAGE_BYTES = 100 * 1024


def test_the_portal_works_without_scripts(visit: Callable[..., Visit]) -> None:
    page = visit(java_script_enabled=False, locale="fr-FR").open("/")
    expect(page.get_by_role("heading", name="Aujourd’hui sur le territoire")).to_be_visible()
    page.select_option("#commune", "Trevalan")
    page.get_by_role("button", name="Choisir").click()
    expect(page.get_by_role("heading", name="Aujourd’hui à Trevalan")).to_be_visible()
    expect(page.get_by_text("plein", exact=True)).to_be_visible()
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", name="Today in Trevalan")).to_be_visible()
    page.goto(page.url.split("?")[0])
    expect(page.get_by_role("heading", name="Today in Trevalan")).to_be_visible()


def test_the_first_page_is_light(visit: Callable[..., Visit]) -> None:
    window = visit()
    answers: list[Response] = []
    window.page.on("response", lambda answer: answers.append(answer))
    window.open("/?commune=Trevalan").wait_for_load_state("networkidle")
    sizes = {answer.url: answer.request.sizes() for answer in answers}
    carried = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes.values())
    assert 2_000 < carried <= FIRST_PAGE_BYTES, sizes


def test_the_map_comes_on_demand(visit: Callable[..., Visit]) -> None:
    page = visit().open("/?commune=Trevalan")
    assert page.locator("canvas").count() == 0
    page.get_by_role("button", name="Show on a map").click()
    expect(page.locator(".map-frame[data-ready] canvas")).to_be_visible()


def test_choosing_a_commune_applies_itself(visit: Callable[..., Visit]) -> None:
    page = visit().open("/")
    page.select_option("#commune", "Port")
    expect(page.get_by_role("heading", name="Today in Port")).to_be_visible()


def test_the_portal_fits_a_phone(visit: Callable[..., Visit]) -> None:
    page = visit(390).open("/?commune=Trevalan")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

"""Composing a dashboard by keyboard and by mouse, saving it, sharing it, printing it."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Town, Visit, container_id

HOME = "/console/dashboards"
A_PAGE = re.compile(rb"/Type\s*/Page\b(?!s)")


WIDGETS = (
    {"kind": "figure", "about": "WasteContainer"},
    {"kind": "series", "width": 2, "entities": [container_id(2)], "attribute": "fillingLevel"},
    {"kind": "map", "width": 2, "about": "waste"},
)
TALL = {"width": 1280, "height": 1500}


@pytest.fixture
def composing(visit: Callable[..., Visit], town: Town, request: pytest.FixtureRequest) -> Visit:
    """The page that composes a dashboard of a figure, a curve and a map."""
    name = re.sub(r"\W", "", request.node.name)
    layout = {"type": "JsonProperty", "json": {"widgets": WIDGETS}}
    entity = {"id": f"urn:ngsi-ld:Dashboard:{name}", "type": "Dashboard", "dashboardLayout": layout}
    town.write({**entity, "name": {"type": "Property", "value": "Quay"}})
    window = visit(viewport=TALL)
    window.open(f"{HOME}/{name}/edit").wait_for_selector("[data-editor][data-ready]")
    return window


def add(page: Page, kind: str, about: str, one: str = "") -> None:
    count = page.locator("[data-cell]").count()
    page.get_by_role("button", name="Add a widget").click()
    page.get_by_label("Kind of widget").select_option(kind)
    page.get_by_label("What it is about").select_option(about)
    if one:
        page.get_by_label("Single objects").fill(one)
        page.locator("[data-offered] button", has_text=one).click()
    expect(page.locator(f"[data-preview] .is-{kind}")).to_be_visible()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("[data-cell]")).to_have_count(count + 1)


def kinds(page: Page) -> list[str]:
    found: list[str] = page.locator("[data-cell] [data-kind]").evaluate_all("all => all.map(one => one.dataset.kind)")
    return found


def test_it_is_composed_by_keyboard_and_each_step_can_be_taken_back(composing: Visit) -> None:
    page = composing.page
    assert kinds(page) == ["figure", "series", "map"]
    first = page.locator("[data-cell]").first
    first.get_by_role("button", name="Move after").focus()
    page.keyboard.press("Enter")
    assert kinds(page) == ["series", "figure", "map"]
    expect(page.locator("[data-told]")).to_have_text("Moved to place 2 of 3.")
    expect(page.get_by_role("button", name="Move after").nth(1)).to_be_focused()
    page.locator("[data-cell]").nth(1).get_by_role("button", name="Wider").press("Enter")
    expect(page.locator("[data-cell]").nth(1)).to_have_class(re.compile(r"\bw2\b"))
    page.locator("[data-cell]").nth(2).get_by_role("button", name="Remove").press("Enter")
    assert kinds(page) == ["series", "figure"]
    for _ in range(3):
        page.get_by_role("button", name="Undo").press("Enter")
    assert kinds(page) == ["figure", "series", "map"]
    expect(page.locator("[data-cell]").first).to_have_class(re.compile(r"\bw1\b"))
    assert composing.list_axe_violations() == []


def test_it_is_composed_by_mouse(composing: Visit) -> None:
    page = composing.page
    drag(page, ".is-map >> xpath=.. >> [data-grip]", ".is-figure")
    assert kinds(page)[0] == "map"
    corner = page.locator("[data-cell]:has(.is-figure) [data-corner]")
    corner.scroll_into_view_if_needed()
    box, wide = corner.bounding_box(), page.locator("[data-cells]").bounding_box()
    assert box is not None
    assert wide is not None
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 8 + wide["width"] / 4, box["y"] + 8, steps=4)
    page.mouse.up()
    expect(page.locator("[data-cell]:has(.is-figure)")).to_have_class(re.compile(r"\bw2\b"))


def drag(page: Page, what: str, where: str) -> None:
    page.locator(what).scroll_into_view_if_needed()
    start, end = page.locator(what).bounding_box(), page.locator(where).bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 8, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(end["x"] + 20, end["y"] + 20, steps=6)
    page.mouse.up()


def test_leaving_something_unsaved_is_warned_of(composing: Visit) -> None:
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.accept()  # type: ignore[attr-defined]

    composing.page.locator("[data-do='remove']").first.press("Enter")
    composing.page.on("dialog", stay)
    composing.page.get_by_role("link", name="Leave").click()
    composing.page.wait_for_url(re.compile(r"dashboards/\w+$"))
    assert asked == ["beforeunload"]
    expect(composing.page.locator(".widget")).to_have_count(3)


SAVE = "**/dashboards/*/save"


def test_what_cannot_be_saved_stays_on_the_page(composing: Visit) -> None:
    page, refused = composing.page, composing.page.locator("[data-refused]")
    page.locator("[data-do='remove']").first.press("Enter")
    page.route(SAVE, lambda route: route.abort())
    page.get_by_role("button", name="Save").click()
    expect(refused).to_contain_text("The server does not answer.")
    expect(page.locator("[data-cell]")).to_have_count(2)
    page.unroute(SAVE)
    page.get_by_label("Name").fill(" ")
    page.get_by_role("button", name="Save").click()
    expect(refused).to_contain_text("The server does not accept this composition. A dashboard has a name.")
    assert composing.list_axe_violations() == []
    page.get_by_label("Name").fill("Quay")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"told=saved"))
    expect(page.locator(".widget")).to_have_count(2)
    forgive(composing)


def test_a_session_that_ends_takes_no_composition_along(composing: Visit) -> None:
    page, refused = composing.page, composing.page.locator("[data-refused]")
    page.locator("[data-do='remove']").first.press("Enter")
    page.route(SAVE, lambda route: route.fulfill(status=403, body=""))
    page.route("**/edit", lambda route: route.fulfill(status=303, headers={"location": "/console/sign-in"}))
    page.get_by_role("button", name="Save").click()
    expect(refused.get_by_role("link", name="Sign in again in another tab")).to_be_visible()
    expect(refused.get_by_role("link", name="See the other version")).to_be_hidden()
    expect(page.locator("[data-cell]")).to_have_count(2)
    for address in (SAVE, "**/edit"):
        page.unroute(address)
    page.locator("[name='form_token']").first.evaluate("one => (one.value = 'of the session before')")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"told=saved"))
    forgive(composing)


def test_whoever_is_outrun_sees_it_and_may_go_on(composing: Visit) -> None:
    page, refused = composing.page, composing.page.locator("[data-refused]")
    page.locator("[data-do='remove']").first.press("Enter")
    page.route(SAVE, lambda route: route.fulfill(status=409, body=""))
    page.get_by_role("button", name="Save").click()
    expect(refused.get_by_role("link", name="See the other version")).to_be_visible()
    page.unroute(SAVE)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"told=saved"))
    forgive(composing)


def forgive(window: Visit) -> None:
    """The browser itself complains of each answer that refuses."""
    window.complaints = [one for one in window.complaints if not one.startswith("Failed to load resource")]


def test_it_is_saved_stays_true_is_printed_and_shared(
    composing: Visit, visit: Callable[..., Visit], town: Town, tmp_path: Path
) -> None:
    page = composing.page
    add(page, "series", "WasteContainer", "Point 02")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("[data-map][data-ready]")
    page.wait_for_selector("[data-plot].drawn canvas")
    expect(page.locator(".is-series")).to_have_count(2)
    assert composing.list_axe_violations() == []
    before = page.locator(".is-figure .figure").inner_text()
    town.fill(3, 1.0)
    expect(page.locator(".is-figure .figure")).not_to_have_text(before, timeout=8_000)
    town.fill(3, 0.4)

    paper = tmp_path / "board.pdf"
    page.emulate_media(media="print")
    expect(page.locator(".rail")).to_be_hidden()
    expect(page.locator("[data-plot] > svg").first).to_be_visible()
    expect(page.locator("[data-plot] > .uplot").first).to_be_hidden()
    page.pdf(path=paper, format="A4", print_background=True)
    page.emulate_media(media="screen")
    content = paper.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(content) > 20_000, "the map is on it"
    assert len(A_PAGE.findall(content)) in (1, 2), "no page is empty"

    page.get_by_label("Everybody with the link").check()
    page.get_by_role("button", name="Apply").click()
    link = page.get_by_label("Public link").input_value()
    shared = visit().open(urlsplit(link).path)
    expect(shared.locator(".is-figure .figure")).to_contain_text("%")
    expect(shared.locator("main a")).to_have_count(0)


COUNTED = """() => {
  window.alive = 0;
  window.uPlot = new Proxy(window.uPlot, {construct(kind, given) {
    const made = new kind(...given), destroy = made.destroy;
    window.alive += 1;
    made.destroy = () => { window.alive -= 1; destroy(); };
    return made;
  }});
}"""


def test_a_curve_that_is_drawn_anew_leaves_nothing_behind(visit: Callable[..., Visit], town: Town) -> None:
    layout = {"type": "JsonProperty", "json": {"widgets": WIDGETS[1:2]}}
    town.write({"id": "urn:ngsi-ld:Dashboard:curve", "type": "Dashboard", "dashboardLayout": layout})
    page = visit().open(f"{HOME}/curve")
    page.wait_for_selector("[data-plot].drawn canvas")
    page.evaluate(COUNTED)
    for level in (0.6, 0.7, 0.5):
        page.evaluate("window.before = document.querySelector('[data-columns]').textContent")
        town.fill(2, level)
        page.wait_for_function(
            "() => document.querySelector('[data-columns]').textContent !== window.before", timeout=9_000
        )
        page.wait_for_selector("[data-plot].drawn canvas")
    assert page.evaluate("window.alive") == 1


def test_maps_are_copied_only_when_printed(visit: Callable[..., Visit], town: Town) -> None:
    layout = {"type": "JsonProperty", "json": {"widgets": WIDGETS[2:]}}
    town.write({"id": "urn:ngsi-ld:Dashboard:ground", "type": "Dashboard", "dashboardLayout": layout})
    page = visit().open(f"{HOME}/ground")
    page.wait_for_selector("[data-map][data-ready]")
    page.wait_for_timeout(500)
    expect(page.locator(".on-paper")).to_have_count(0)
    page.evaluate("window.print = () => dispatchEvent(new Event('beforeprint'))")
    page.get_by_role("button", name="Print").click()
    expect(page.locator(".on-paper")).to_have_count(1)
    assert page.locator(".on-paper").evaluate(COLOURS) > 10, "it shows the map"


COLOURS = """paper => new Set(
  new Uint32Array(paper.getContext('2d').getImageData(0, 0, paper.width, paper.height).data.buffer)).size"""


def test_it_reads_as_one_column_on_a_phone(visit: Callable[..., Visit]) -> None:
    window = visit(390, locale="fr-FR")
    page = window.open(f"{HOME}/ready-waste")
    page.wait_for_selector("[data-plot].drawn canvas", state="attached")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    lefts = page.locator(".board > .cell").evaluate_all("all => all.map(one => one.getBoundingClientRect().left)")
    assert len(set(lefts)) == 1
    assert window.list_axe_violations() == []


def test_without_scripts_everything_is_told(visit: Callable[..., Visit]) -> None:
    page = visit(java_script_enabled=False).open(f"{HOME}/ready-waste")
    expect(page.locator(".is-series [data-plot] > svg")).to_be_visible()
    expect(page.locator(".is-states")).to_contain_text("2 to act on")
    expect(page.locator(".is-top a").first).to_have_attribute("href", re.compile("WasteContainer%3A00"))


def test_a_new_widget_is_asked_for_without_an_error_until_it_is_to_be_applied(
    visit: Callable[..., Visit], town: Town
) -> None:
    window = visit(viewport=TALL)
    page = window.open(f"{HOME}/new?name=A+try")
    page.wait_for_selector("[data-editor][data-ready]")
    page.get_by_role("button", name="Add a widget").click()
    preview = page.locator("[data-preview]")
    expect(preview).to_have_text("Choose what it is about: it appears here.")
    page.get_by_role("button", name="Apply").click()
    expect(preview).to_contain_text("does not know yet what to show")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_label("What it is about").select_option("WasteContainer")
    expect(preview.locator(".is-figure")).to_be_visible()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("[data-cell]")).to_have_count(1)
    window.open(HOME)
    expect(page.get_by_text("A try")).to_have_count(0)

from collections.abc import Callable

import pytest

from tests.browser.conftest import Visit, container_id

PAGES = {
    "portal": "/?commune=Trevalan",
    "overview": "/console",
    "dashboards": "/console/dashboards",
    "dashboard": "/console/dashboards/ready-waste",
    "map": f"/console/map?type=waste&selected={container_id(0)}",
    "entity": f"/console/entities/{container_id(2)}",
    "devices": "/console/devices",
    "devices of no kind": "/console/devices?state=never&search=nothing",
    "new device": "/console/devices/new?label=a84041a1b1830099",
    "quarantine": "/console/quarantine",
    "refusals": "/console/refusals",
    "coverage": "/console/coverage",
    "codecs": "/console/codecs",
    "bench": "/console/codecs/cayenne-lpp?payload=016700e1&f_port=1",
    "connectors": "/console/connectors",
    "jobs": "/console/jobs",
    "imports": "/console/imports",
    "search": "/console/search?q=point",
    "system": "/console/system",
    "sign-in": "/console/sign-in",
    "not found": "/nowhere",
}
READY = {"dashboard": "[data-plot].drawn canvas", "map": "[data-map][data-ready]", "entity": "figure[data-drawn]"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(visit: Callable[..., Visit], name: str, scheme: str) -> None:
    window = visit(color_scheme=scheme)
    window.open(PAGES[name])
    if name in READY:
        window.page.wait_for_selector(READY[name])
    violations = window.list_axe_violations()
    window.complaints[:] = [text for text in window.complaints if name != "not found"]
    assert violations == []


@pytest.mark.parametrize("name", ["portal", "map", "entity"])
def test_axe_finds_nothing_on_a_phone_in_french(visit: Callable[..., Visit], name: str) -> None:
    window = visit(390, locale="fr-FR")
    window.open(PAGES[name])
    if name in READY:
        window.page.wait_for_selector(READY[name])
    assert window.list_axe_violations() == []


@pytest.mark.parametrize("name", PAGES)
def test_no_page_scrolls_sideways(visit: Callable[..., Visit], name: str) -> None:
    for width in (390, 1280):
        window = visit(width)
        window.open(PAGES[name])
        assert window.page.evaluate("document.documentElement.scrollWidth") <= width
        window.complaints.clear()

"""What is wrong with a device, as sentences."""

import re

import pytest

from parvis.fleet.health.findings import Finding, FindingKind
from parvis.kernel.time import HOUR, MINUTE, SECOND
from parvis.web.console.device_new import new_entity_id
from parvis.web.console.findings import spell_span, view_of_finding
from parvis.web.i18n import LANGUAGES
from parvis.web.wording import wording

FIGURES: dict[FindingKind, dict[str, float | str]] = {
    FindingKind.SILENT: {"quiet_s": 7200, "interval_s": 900},
    FindingKind.LOW_BATTERY: {"level": 0.08, "last_day": "2026-12-24"},
    FindingKind.BAD_RADIO: {"loss": 0.4, "gateways": 1.0, "margin_db": 0.5, "spreading_factor": 12, "rssi_dbm": -118},
    FindingKind.CLOCK_DRIFT: {"offset_s": -400.0},
    FindingKind.STUCK_VALUE: {"attribute": "temperature", "value": "21.5", "unchanged_s": 90000},
    FindingKind.IMPOSSIBLE_VALUE: {"attribute": "temperature", "value": 3275.2, "count": 2},
    FindingKind.DUPLICATE_KEY: {"signs": 4},
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", FindingKind)
def test_every_finding_has_its_sentence(kind: FindingKind, language: str) -> None:
    view = view_of_finding(Finding(kind, 0, "in English", FIGURES[kind]), wording(language, "UTC"), HOUR)
    assert (view.detail, "{" in view.reason) == ("", False)
    assert min(len(view.name), len(view.reason), len(view.next)) > 3


def test_a_silence_is_told_as_long_as_it_is_now() -> None:
    silent = Finding(FindingKind.SILENT, 900 * SECOND, "", {"quiet_s": 420, "interval_s": 60})
    view = view_of_finding(silent, wording("en", "UTC"), 900 * SECOND + 17 * MINUTE)
    assert view.reason == "Not heard for 18 min; a frame is expected every 1 min."


@pytest.mark.parametrize(
    "kind", [one for one in FindingKind if one not in (FindingKind.CLOCK_DRIFT, FindingKind.DUPLICATE_KEY)]
)
@pytest.mark.parametrize("figures", [{}, {"quiet_s": "x", "level": "nan", "last_day": "soon"}])
def test_figures_that_somebody_else_wrote_harm_nothing(kind: FindingKind, figures: dict[str, float | str]) -> None:
    view = view_of_finding(Finding(kind, 0, "in English", figures), wording("fr", "UTC"), HOUR)
    assert (view.reason, view.detail) == ("", "in English")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(40, "40 s"), (60, "1 min"), (900, "15 min"), (3600, "1 h"), (3661, "61 min"), (86400, "1 day")],
)
def test_spans_are_told_in_the_largest_unit_that_is_exact_enough(seconds: float, told: str) -> None:
    assert spell_span(seconds, wording("en", "UTC")) == told


def test_new_objects_of_one_name_are_not_the_same() -> None:
    names = {new_entity_id("WasteContainer", "Place du Marché, 3") for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith("urn:ngsi-ld:WasteContainer:place-du-marche-3-") for name in names)
    assert re.fullmatch(r"urn:ngsi-ld:Thing:[a-z0-9]{6}", new_entity_id("https://example.org/Thing", "日本"))

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.web.filters import STATE_CHOICES, ObjectFilter, Tally
from parvis.web.headline import PROFILES, Domain, State
from parvis.web.views import ObjectView

FILL = PROFILES["WasteContainer"].headlines[0]


def seen(**changed: object) -> ObjectView:
    facts: dict[str, object] = {
        "id": "urn:ngsi-ld:WasteContainer:1", "type": "WasteContainer", "domain": Domain.WASTE, "name": "Rue du Port",
        "commune": "Trevalan", "position": None, "headline": FILL, "value": 0.9, "unit_code": "", "observed_at": 1,
        "alarmed": False, "state": State.WARN,
    }  # fmt: skip
    return ObjectView(**(facts | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "admitted"),
    [
        ({}, True),
        ({"state": "attention"}, True),
        ({"state": "bad"}, False),
        ({"state": "nonsense"}, True),
        ({"commune": "Trevalan"}, True),
        ({"commune": "Port"}, False),
        ({"above": "85"}, True),
        ({"above": "90"}, False),
        ({"above": "lots"}, True),
        ({"search": "PORT"}, True),
        ({"search": "quay"}, False),
    ],
)
def test_the_sentence_decides_what_is_shown(query: dict[str, str], admitted: bool) -> None:
    assert ObjectFilter.from_query(query).admits(seen()) is admitted


def test_a_domain_stands_for_all_its_types() -> None:
    assert ObjectFilter.from_query({"type": "mobility"}).types == [
        name for name, profile in PROFILES.items() if profile.domain is Domain.MOBILITY
    ]
    assert ObjectFilter.from_query({"type": "WasteContainer"}).domain is Domain.WASTE
    assert ObjectFilter.from_query({"type": "Spaceship"}).types == list(PROFILES)


kinds = st.sampled_from(["", *PROFILES, *(domain.value for domain in Domain)])
texts = st.text(max_size=80).map(str.strip)


@given(
    kind=kinds,
    state=st.sampled_from(["", *STATE_CHOICES]),
    commune=texts,
    search=texts,
    above=st.none() | st.integers(0, 999),
)
def test_an_address_holds_the_whole_view(kind: str, state: str, commune: str, search: str, above: int | None) -> None:
    chosen = ObjectFilter(kind, state, commune, search, None if above is None else float(above))
    assert ObjectFilter.from_query(dict(parse_qsl(chosen.to_query(), keep_blank_values=True))) == chosen


def test_a_tally_counts_what_needs_attention() -> None:
    tally = Tally.of([seen(), seen(state=State.BAD), seen(state=State.STALE), seen(state=State.GOOD)])
    assert (tally.total, tally.attention) == (4, 2)

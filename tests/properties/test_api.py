"""Whatever is asked, the answer is one of the standard, never a fault of ours (NGSI-LD 1.9.1, 5.5.6, 6.3.2)."""

import asyncio
import os
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parvis.broker.api.routing import VARIABLE, Route
from parvis.broker.api.table import ROUTES
from tests.second_checks.instance import fresh_instance
from tests.second_checks.scenario import ENTITY, EVOLUTION, OF_SOURCES, REGISTRATION, SUBSCRIPTION, calls

EXAMPLES = int(os.environ.get("PARVIS_API_EXAMPLES", "40"))
OF_THE_STANDARD = {501, 503, 504, 508}

_BODIES: list[Any] = [
    ENTITY,
    EVOLUTION,
    SUBSCRIPTION,
    REGISTRATION,
    OF_SOURCES,
    *(call.body for call in calls() if call.body),
]
_SNAPSHOT = {"type": "Snapshot", "snapshotQueries": [{"type": "Query", "entities": [{"type": "Bin"}]}]}
_WORDS = [
    *("", "urn:ngsi-ld:Bin:1", "urn:ngsi-ld:Meter:1", "urn:ngsi-ld:null", "Bin", "level", "location", "name", "scope"),
    *("https://uri.etsi.org/ngsi-ld/default-context/level", "2026-05-01T08:00:00Z", "P1D", "PT0S", "@none", "@context"),
    *(
        "Point",
        "[-3,48]",
        "[[-3,48],[-2,48],[-2,49],[-3,48]]",
        "near;maxDistance==10",
        "within",
        "after",
        "between",
        "inline",
    ),
    *(
        "flat",
        "normalized",
        "concise",
        "simplified",
        "aggregatedValues",
        "temporalValues",
        "sysAttrs",
        "keyValues",
        "update",
    ),
    *("level>0.2", 'name[fr]=="Bac";!note', "owner{level>1}", "level.accuracy==1..2", 'name~="^B"', "/town/#,/a;/b"),
    *(
        "Bin|(Asset;Lamp)",
        "id,type,level",
        "owner{name}",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "1000",
        "99999999999999999999",
    ),
    *(
        "avg,max,min",
        "distinctCount",
        "modifiedAt",
        "deletedAt",
        "observedAt",
        "dist-asc",
        "level;desc",
        "und",
        "fr,*;q=0.1",
    ),
    *("\x00", "\ud7ff", "%", "a" * 300, "(", "{", "é", "null", "[]"),
]
_words = st.sampled_from(_WORDS)
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False), _words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_words, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def _bodies(draw: st.DrawFn) -> Any:
    """One that is right, with something in it that perhaps is not."""
    body = draw(st.one_of(st.sampled_from([*_BODIES, _SNAPSHOT]), _json))
    for _ in range(draw(st.integers(0, 2))):
        body = _spoilt(draw, body)
    return [body] if draw(st.integers(0, 5)) == 0 else body


def _spoilt(draw: st.DrawFn, body: Any) -> Any:
    if isinstance(body, dict) and body:
        name = draw(st.sampled_from(sorted(body)))
        match draw(st.integers(0, 3)):
            case 0:
                return {key: value for key, value in body.items() if key != name}
            case 1:
                return {**body, draw(_words): draw(_json)}
            case 2:
                return {**body, name: draw(_json)}
            case _:
                return {**body, name: _spoilt(draw, body[name])}
    if isinstance(body, list) and body:
        return [*body[:-1], _spoilt(draw, body[-1])]
    return draw(_json)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, str], bytes | None]:
    route: Route = draw(st.sampled_from(ROUTES))
    ids = iter(draw(st.lists(_words.filter(bool), min_size=3, max_size=3)))
    path = "".join(
        f"/{quote(next(ids), safe='')}" if part == VARIABLE else f"/{part}" for part in route.template[1:].split("/")
    )
    names = (
        draw(st.lists(st.sampled_from(sorted(route.parameters)), max_size=4, unique=True)) if route.parameters else []
    )
    query = "&".join(f"{name}={quote(draw(_words))}" for name in names)
    headers = {
        "Accept": draw(st.sampled_from(["application/json", "application/ld+json", "application/geo+json", "*/*"]))
    }
    headers |= draw(
        st.sampled_from([{}, {}, {"Prefer": "ngsi-ld=1.6"}, {"NGSILD-Snapshot": "urn:a:b"}, {"Via": "1.1 x"}])
    )
    if route.method in {"GET", "DELETE"}:
        return route.method, f"{path}?{query}", headers, None
    content_type = draw(st.sampled_from(["application/json", "application/json", "application/ld+json"]))
    return (
        route.method,
        f"{path}?{query}",
        {**headers, "Content-Type": content_type},
        msgspec.json.encode(draw(_bodies())),
    )


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(st.lists(requests(), min_size=1, max_size=8))
def test_no_request_finds_a_fault_of_ours(asked: list[tuple[str, str, dict[str, str], bytes | None]]) -> None:
    asyncio.run(_ask(asked))


async def _ask(asked: list[tuple[str, str, dict[str, str], bytes | None]]) -> None:
    async with fresh_instance(_no_context) as api:
        for body, path in ((ENTITY, "/entities"), (EVOLUTION, "/temporal/entities"), (SUBSCRIPTION, "/subscriptions")):
            await api.post(f"/ngsi-ld/v1{path}", json=body)
        for method, path, headers, content in asked:
            told = await api.request(method, f"/ngsi-ld/v1{path}", headers=headers, content=content)
            assert told.status_code < 500 or told.status_code in OF_THE_STANDARD, _said(told)


def _said(told: httpx.Response) -> str:
    return f"{told.status_code} {told.text}"


def _no_context(url: str) -> bytes:
    raise LookupError(url)

"""Where each technology is heard, and how well: squares on a map and as a table, and the gateways that hear."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.broker.model.entity import Entity
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.fleet.health.coverage import CELL_DEG, CoverageCell
from parvis.fleet.health.findings import (
    CELLULAR_RSSI_BAD_DBM,
    CELLULAR_RSSI_OVER_DBM,
    LOSS_BAD,
    LOSS_OVER,
    MARGIN_BAD_DB,
    MARGIN_OVER_DB,
)
from parvis.fleet.model.uplink import Technology
from parvis.fleet.network.gateways import GatewayState, judge_gateway
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant
from parvis.web.console.devices import last_seen_of, number_of
from parvis.web.headline import State
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.views import short_id
from parvis.web.wording import Wording

ROWS = 100
FIRST_ROWS = 10
"""The others are folded away: nobody scrolls past a hundred squares on a phone."""
MOST_GATEWAYS = 500
LORAWAN = Technology.LORAWAN.value
CELLULAR = Technology.CELLULAR.value
_SIGNS = {State.WARN: "! ", State.BAD: "\u00d7 "}
"""Beside the colour, which not everybody sees."""
_KNOWN = frozenset(one.value for one in Technology)
"""Of a device that was never heard there is none."""


@dataclass(frozen=True, slots=True)
class CellView:
    cell: CoverageCell
    state: State

    @property
    def anchor(self) -> str:
        return f"cell-{self.cell.longitude}-{self.cell.latitude}".replace(".", "_")


@dataclass(frozen=True, slots=True)
class GatewayView:
    id: str
    name: str
    last_heard_at: Instant | None
    is_heard: bool
    rate: float | None
    rssi_dbm: float | None
    snr_db: float | None
    position: tuple[float, float] | None

    @property
    def href(self) -> str:
        return f"/console/entities/{quote(self.id, safe=':')}"

    @property
    def state(self) -> State:
        return State.GOOD if self.is_heard else State.STALE


async def coverage_page(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    if Right.READ not in caller.everywhere:
        raise Forbidden("Coverage can be seen by people who are signed in.")
    t = site.pages.words(request)
    everything = [one for one in await site.platform.fleet.health.list_coverage(caller) if one.technology in _KNOWN]
    technologies = Counter[str]()
    for cell in everything:
        technologies[cell.technology] += cell.devices
    technology = _chosen(request.query_params.get("technology", ""), technologies)
    cells = sorted(
        (CellView(cell, judge(cell)) for cell in everything if cell.technology == technology), key=_worst_first
    )
    gateways = await list_gateways(site, caller) if technology in ("", LORAWAN) else []
    return site.pages.render(
        request,
        "console/pages/coverage.html",
        technologies=technologies.most_common(),
        technology=technology,
        cells=cells[:FIRST_ROWS],
        others=cells[FIRST_ROWS:ROWS],
        count=len(cells),
        devices=technologies[technology],
        states=Counter(view.state.word for view in cells),
        gateways=gateways,
        shows_gateways=technology in ("", LORAWAN),
        drawn=_drawn(cells, gateways, t),
    )


def judge(cell: CoverageCell) -> State:
    """By the bounds at which a device's radio is found bad."""
    if cell.devices == cell.silent:
        return State.STALE
    signal = cell.rssi_dbm if cell.technology == CELLULAR else None
    if _is_beyond(cell, signal, LOSS_BAD, MARGIN_BAD_DB, CELLULAR_RSSI_BAD_DBM):
        return State.BAD
    return State.WARN if _is_beyond(cell, signal, LOSS_OVER, MARGIN_OVER_DB, CELLULAR_RSSI_OVER_DBM) else State.GOOD


def _is_beyond(cell: CoverageCell, signal_dbm: float | None, loss: float, margin_db: float, rssi_dbm: float) -> bool:
    return (
        cell.loss >= loss
        or (cell.margin_db is not None and cell.margin_db < margin_db)
        or (signal_dbm is not None and signal_dbm < rssi_dbm)
    )


def _worst_first(view: CellView) -> tuple[int, float, float]:
    return (-view.state, -view.cell.loss, view.cell.longitude)


def _chosen(wanted: str, technologies: Counter[str]) -> str:
    if wanted in technologies:
        return wanted
    return technologies.most_common(1)[0][0] if technologies else ""


def _drawn(cells: Sequence[CellView], gateways: Sequence[GatewayView], t: Wording) -> dict[str, Any]:
    """GeoJSON for the map."""
    half = CELL_DEG / 2
    squares = []
    for view in cells:
        west, south = view.cell.longitude - half, view.cell.latitude - half
        ring = [(west, south), (west + 2 * half, south), (west + 2 * half, south + 2 * half), (west, south + 2 * half)]
        sign = _SIGNS.get(view.state, "")
        text = sign + t.quantity(view.cell.loss, "", "packetLossRate")
        told = {"state": view.state.word, "text": text, "sign": sign.strip(), "row": view.anchor}
        squares.append(_feature("Polygon", [[*ring, ring[0]]], told))
    posts = [
        _feature("Point", one.position, {"state": one.state.word, "text": str(number), "row": f"gateway-{number}"})
        for number, one in enumerate(gateways, 1)
        if one.position
    ]
    return {
        "squares": {"type": "FeatureCollection", "features": squares},
        "gateways": {"type": "FeatureCollection", "features": posts},
    }


def _feature(kind: str, coordinates: Any, properties: dict[str, str]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


async def list_gateways(site: Site, caller: Caller) -> list[GatewayView]:
    """Silent ones first."""
    query = EntityQuery(types=TypeIs(site.reader.expand("Gateway")), limit=MOST_GATEWAYS)
    page = await site.platform.broker.query(caller, query)
    views = [_gateway(site, entity) for entity in page.entities]
    return sorted(views, key=lambda view: (view.is_heard, view.name))


def _gateway(site: Site, entity: Entity) -> GatewayView:
    last = last_seen_of(site, entity)
    rate, rssi, snr = (number_of(site, entity, term) for term in ("uplinkRate", "rssi", "snr"))
    place = entity.find(site.reader.expand("location"))
    point = place.value if place is not None and isinstance(place.value, dict) else {}
    position = (point["coordinates"][0], point["coordinates"][1]) if point.get("type") == "Point" else None
    is_heard = judge_gateway(last, site.now) is GatewayState.HEARD
    name = site.reader.view(entity, site.now).name or short_id(entity.id)
    return GatewayView(entity.id, name, last, is_heard, rate, rssi, snr, position)


ROUTES = [Route("/console/coverage", coverage_page, methods=["GET"])]

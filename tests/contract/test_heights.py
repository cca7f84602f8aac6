"""Positions with a height beside others without (RFC 7946, 3.1.1), as geo-queries meet them."""

from typing import Any

import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import EntityQuery, GeoQuery, GeoRelation, OrderTerm, Path
from tests.contract.territory import TENANT, bin_id

PLACE = "https://uri.etsi.org/ngsi-ld/location"
SQUARE = {"type": "Polygon", "coordinates": [[[-1, -1, 7], [2, -1], [2, 2], [-1, 2], [-1, -1]]]}


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": [0, 0, 1, 2]},
        {"type": "Point", "coordinates": [0, 0, 10**400]},
        {"type": "LineString", "coordinates": [[0, 0], [1, 1, 5]]},
        {"type": "LineString", "coordinates": [[0, 0, 10**400], [1, 1, 1, 1]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1, 5], [0, 1], [0, 0]]]},
        {"type": "MultiLineString", "coordinates": [[[0, 0], [1, 1]], [[0, 0, 1], [1, 1, 1]]]},
    ],
)
async def test_heights_are_looked_over(store: Store, geometry: dict[str, Any]) -> None:
    place = Instance(PLACE, Kind.GEO_PROPERTY, geometry)
    await store.write(TENANT, [Change(bin_id(1), Mode.CREATE, (place,), ("https://example.org/Bin",))])
    for asked in (
        EntityQuery(geo=GeoQuery(GeoRelation.WITHIN, SQUARE, PLACE)),
        EntityQuery(geo=GeoQuery(GeoRelation.INTERSECTS, geometry, PLACE)),
        EntityQuery(geo=GeoQuery(GeoRelation.NEAR, SQUARE, PLACE, max_distance_m=1)),
        EntityQuery(order=(OrderTerm(Path(PLACE), reference=geometry),)),
    ):
        assert [one.id for one in (await store.query(TENANT, asked)).entities] == [bin_id(1)]

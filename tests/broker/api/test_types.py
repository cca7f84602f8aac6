"""What kinds there are, over HTTP (NGSI-LD 1.9.1, 6.25 to 6.28)."""

import httpx
import pytest

from tests.broker.api.territory import BIN_2, bin_at_the_port, lamp


@pytest.fixture(autouse=True)
async def a_quay(api: httpx.AsyncClient) -> None:
    await api.post("/entityOperations/create", json=[bin_at_the_port(), bin_at_the_port(BIN_2), lamp()])


async def test_types_are_listed_by_name(api: httpx.AsyncClient) -> None:
    listed = (await api.get("/types")).json()
    assert (listed["type"], listed["typeList"]) == ("EntityTypeList", ["Streetlight", "WasteContainer"])


async def test_types_with_details_name_their_attributes(api: httpx.AsyncClient) -> None:
    details = (await api.get("/types?details=true")).json()
    assert {one["typeName"]: one["attributeNames"] for one in details} == {
        "Streetlight": ["powerState", "refDevice"],
        "WasteContainer": ["fillingLevel", "location"],
    }


async def test_one_type_has_a_count(api: httpx.AsyncClient) -> None:
    one = (await api.get("/types/WasteContainer")).json()
    assert (one["type"], one["typeName"], one["entityCount"]) == ("EntityTypeInfo", "WasteContainer", 2)
    assert {detail["attributeName"]: detail["attributeTypes"] for detail in one["attributeDetails"]} == {
        "fillingLevel": ["Property"],
        "location": ["GeoProperty"],
    }
    assert (await api.get("/types/NoSuchThing")).status_code == 404


async def test_attributes_are_listed_by_name(api: httpx.AsyncClient) -> None:
    listed = (await api.get("/attributes")).json()
    assert listed["type"] == "AttributeList"
    assert listed["attributeList"] == ["fillingLevel", "location", "powerState", "refDevice"]


async def test_one_attribute_names_the_types_that_have_it(api: httpx.AsyncClient) -> None:
    one = (await api.get("/attributes/fillingLevel")).json()
    assert (one["type"], one["typeNames"]) == ("Attribute", ["WasteContainer"])
    assert (one["attributeCount"], one["attributeTypes"]) == (2, ["Property"])
    details = (await api.get("/attributes?details=true")).json()
    assert {one["attributeName"] for one in details} == {"fillingLevel", "location", "powerState", "refDevice"}
    assert (await api.get("/attributes/temperature")).status_code == 404


async def test_residents_learn_of_public_types_only(api: httpx.AsyncClient) -> None:
    resident = {"Subject": "resident"}
    assert (await api.get("/types", headers=resident)).json()["typeList"] == ["WasteContainer"]
    assert (await api.get("/types/Streetlight", headers=resident)).status_code == 404
    assert (await api.get("/attributes/powerState", headers=resident)).status_code == 404


async def test_the_broker_tells_who_it_is(api: httpx.AsyncClient) -> None:
    identity = (await api.get("/info/sourceIdentity")).json()
    assert identity["type"] == "ContextSourceIdentity"
    assert identity["contextSourceUptime"].startswith("PT")

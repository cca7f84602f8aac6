"""One entity over HTTP (NGSI-LD 1.9.1, 6.4 and 6.5)."""

import httpx
import pytest

from tests.broker.api.territory import BIN, LAMP, bin_at_the_port, lamp

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
LD = {"Content-Type": "application/ld+json"}


async def test_a_created_entity_has_a_location_and_is_read_as_it_was_written(api: httpx.AsyncClient) -> None:
    created = await api.post("/entities", json=bin_at_the_port())
    assert created.status_code == 201
    assert created.headers["Location"] == f"/ngsi-ld/v1/entities/{BIN}"
    assert created.content == b""
    read = await api.get(f"/entities/{BIN}")
    assert read.status_code == 200
    assert read.headers["Content-Type"] == "application/json"
    assert read.json() == bin_at_the_port()


async def test_an_entity_cannot_be_created_twice(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())
    assert (await api.post("/entities", json=bin_at_the_port())).status_code == 409


@pytest.mark.parametrize(
    ("options", "level"),
    [
        (
            "normalized",
            {"type": "Property", "value": 0.4, "unitCode": "C62", "observedAt": "2026-05-01T08:00:00Z"},
        ),
        ("concise", {"value": 0.4, "unitCode": "C62", "observedAt": "2026-05-01T08:00:00Z"}),
        ("simplified", 0.4),
        ("keyValues", 0.4),
    ],
)
@pytest.mark.parametrize("parameter", ["options", "format"])
async def test_an_entity_is_shown_in_the_form_asked_for(
    api: httpx.AsyncClient, parameter: str, options: str, level: object
) -> None:
    await api.post("/entities", json=bin_at_the_port())
    read = await api.get(f"/entities/{BIN}", params={parameter: options})
    assert read.json()["fillingLevel"] == level


async def test_system_attributes_are_shown_on_demand(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())
    read = (await api.get(f"/entities/{BIN}?options=sysAttrs")).json()
    assert read["createdAt"] == read["modifiedAt"] == read["fillingLevel"]["createdAt"] == "2026-05-01T12:00:00Z"


async def test_attrs_pick_and_omit_choose_what_is_shown(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())
    whole = bin_at_the_port()
    attrs = (await api.get(f"/entities/{BIN}?attrs=location")).json()
    assert attrs == {name: whole[name] for name in ("id", "type", "location")}
    assert (await api.get(f"/entities/{BIN}?pick=id,location")).json().keys() == {"id", "location"}
    assert (await api.get(f"/entities/{BIN}?omit=type,location")).json().keys() == {"id", "fillingLevel"}


async def test_an_entity_without_any_attribute_asked_for_is_not_found(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())
    assert (await api.get(f"/entities/{BIN}?attrs=temperature")).status_code == 404


async def test_a_language_map_becomes_text_in_the_language_asked_for(api: httpx.AsyncClient) -> None:
    name = {"type": "LanguageProperty", "languageMap": {"fr": "Le Port", "br": "Ar Porzh"}}
    await api.post("/entities", json=bin_at_the_port(name=name))
    read = (await api.get(f"/entities/{BIN}?lang=de,br;q=0.8,fr;q=0.5")).json()
    assert read["name"] == {"type": "Property", "value": "Ar Porzh", "lang": "br"}


async def test_json_names_its_context_in_a_link_and_json_ld_carries_it(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())
    as_json = await api.get(f"/entities/{BIN}")
    assert 'rel="http://www.w3.org/ns/json-ld#context"' in as_json.headers["Link"]
    as_ld = await api.get(f"/entities/{BIN}", headers={"Accept": "application/ld+json"})
    assert as_ld.headers["Content-Type"] == "application/ld+json"
    assert "Link" not in as_ld.headers
    assert f"<{as_ld.json()['@context']}>" in as_json.headers["Link"]


async def test_an_entity_is_a_feature_on_a_map(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())
    read = await api.get(f"/entities/{BIN}?options=simplified", headers={"Accept": "application/geo+json"})
    feature = read.json()
    assert read.headers["Content-Type"] == "application/geo+json"
    assert (feature["type"], feature["id"]) == ("Feature", BIN)
    assert feature["geometry"] == {"type": "Point", "coordinates": [-3.1, 48.2]}
    assert feature["properties"]["fillingLevel"] == 0.4


async def test_a_feature_carries_its_context_unless_plain_json_is_preferred(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())
    geo = {"Accept": "application/geo+json"}
    inside = await api.get(f"/entities/{BIN}", headers=geo)
    assert "@context" in inside.json()
    assert "Link" not in inside.headers
    beside = await api.get(f"/entities/{BIN}", headers={**geo, "Prefer": "body=json"})
    assert "@context" not in beside.json()
    assert "Link" in beside.headers


async def test_an_entity_may_be_asked_for_by_its_type_too(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())
    assert (await api.get(f"/entities/{BIN}?type=Streetlight|WasteContainer")).status_code == 200
    assert (await api.get(f"/entities/{BIN}?type=Streetlight")).status_code == 404


async def test_format_comes_before_a_form_in_options(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())
    read = (await api.get(f"/entities/{BIN}?format=keyValues&options=concise,sysAttrs")).json()
    assert (read["fillingLevel"], read["createdAt"]) == (0.4, "2026-05-01T12:00:00Z")


async def test_the_context_of_the_writer_and_of_the_reader_may_differ(api: httpx.AsyncClient) -> None:
    french = {"niveau": "https://example.org/level", "Poubelle": "https://example.org/Bin"}
    written = {"@context": [french, CORE], "id": BIN, "type": "Poubelle", "niveau": {"type": "Property", "value": 1}}
    assert (await api.post("/entities", json=written, headers=LD)).status_code == 201
    read = (await api.get(f"/entities/{BIN}")).json()
    assert read["type"] == "https://example.org/Bin"
    assert read["https://example.org/level"] == {"type": "Property", "value": 1}


async def test_an_id_may_hold_a_slash(api: httpx.AsyncClient) -> None:
    created = await api.post("/entities", json=bin_at_the_port("https://example.org/bins/7"))
    assert created.headers["Location"] == "/ngsi-ld/v1/entities/https:%2F%2Fexample.org%2Fbins%2F7"
    read = await api.get("/entities/https%3A%2F%2Fexample.org%2Fbins%2F7")
    assert read.json()["id"] == "https://example.org/bins/7"


async def test_replacing_leaves_nothing_of_the_old_attributes(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())
    replaced = await api.put(f"/entities/{BIN}", json={"type": "WasteContainer", "storedWasteKind": {"value": "glass"}})
    assert (replaced.status_code, replaced.content) == (204, b"")
    assert (await api.get(f"/entities/{BIN}?options=keyValues")).json() == {
        "id": BIN,
        "type": "WasteContainer",
        "storedWasteKind": "glass",
    }


async def test_merging_changes_what_is_given_and_deletes_what_is_null(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port(storedWasteKind={"type": "Property", "value": "glass"}))
    patch = {"fillingLevel": {"value": 0.6}, "storedWasteKind": "urn:ngsi-ld:null"}
    merged = await api.patch(f"/entities/{BIN}", json=patch, headers={"Content-Type": "application/merge-patch+json"})
    assert merged.status_code == 204
    read = (await api.get(f"/entities/{BIN}")).json()
    assert read["fillingLevel"]["value"] == 0.6
    assert read["fillingLevel"]["unitCode"] == "C62"
    assert "storedWasteKind" not in read


async def test_merging_simplified_values_at_one_time(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port(storedWasteKind={"type": "Property", "value": "glass"}))
    url = f"/entities/{BIN}?options=keyValues&observedAt=2026-05-01T09:00:00Z"
    assert (await api.patch(url, json={"fillingLevel": 0.7, "storedWasteKind": "paper"})).status_code == 204
    read = (await api.get(f"/entities/{BIN}")).json()["fillingLevel"]
    assert (read["value"], read["observedAt"]) == (0.7, "2026-05-01T09:00:00Z")
    assert "observedAt" not in (await api.get(f"/entities/{BIN}")).json()["storedWasteKind"]


async def test_a_deleted_entity_is_gone(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=lamp())
    assert (await api.delete(f"/entities/{lamp()['id']}")).status_code == 204
    assert (await api.get(f"/entities/{lamp()['id']}")).status_code == 404
    assert (await api.delete(f"/entities/{lamp()['id']}")).status_code == 404


async def test_words_in_the_language_of_the_url_join_the_others(api: httpx.AsyncClient) -> None:
    """(5.6.17, 6.5.3.4)"""
    await api.post(
        "/entities", json=lamp(title={"type": "LanguageProperty", "languageMap": {"fr": "Quai", "br": "Kae"}})
    )
    url = f"/entities/{LAMP}?format=simplified&lang=en"
    told = await api.patch(url, json={"title": "Quay", "powerState": "off", "note": ["new", "words"]})
    assert told.status_code == 204
    read = (await api.get(f"/entities/{LAMP}")).json()
    assert read["title"] == {"type": "LanguageProperty", "languageMap": {"fr": "Quai", "br": "Kae", "en": "Quay"}}
    assert (read["powerState"]["value"], read["note"]["value"]) == ("off", ["new", "words"])


async def test_words_without_a_language_are_no_languages(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=lamp(title={"type": "LanguageProperty", "languageMap": {"fr": "Quai"}}))
    told = await api.patch(f"/entities/{LAMP}?format=simplified", json={"title": "Quay"})
    assert (told.status_code, told.json()["type"].rpartition("/")[2]) == (400, "BadRequestData")

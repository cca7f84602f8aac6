import asyncio

import pytest
from msgspec.structs import replace

from parvis.fleet.joining.claims import ClaimEntry, ClaimPlace, Claims
from parvis.fleet.joining.label_sheet import render_labels
from parvis.kernel.errors import AlreadyExists, BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from tests.fleet.conftest import BIN, CALLER, EUI, Village, uplink

OTHER_EUI = "70b3d5499e0000aa"
ENTRY = ClaimEntry(EUI.upper(), "bin-sensor", technology="lorawan", groups=("bins",), serial_number="SN1")
HERE = ClaimPlace(BIN, "Market place", location={"type": "Point", "coordinates": [-3.2, 48.1]})


@pytest.fixture
def claims(village: Village) -> Claims:
    return Claims(village.fleet, village.store.shelf, village.store)


async def test_a_code_registers_its_device_once_where_it_was_mounted(village: Village, claims: Claims) -> None:
    await village.fleet.take(CALLER, [uplink(1, 40)])
    (issued,) = await claims.create(CALLER, "Autumn", [ENTRY])
    assert (await claims.get(CALLER, issued.code)).entry.hardware_id == EUI

    device = await claims.redeem(CALLER, issued.code.lower().replace("-", " "), HERE)

    assert (device.hardware_id, device.asset_id, device.groups) == (EUI, BIN, ("bins",))
    assert await village.value(BIN, "fillingLevel") == 0.4, "what it sent before is adopted"
    with pytest.raises(AlreadyExists):
        await claims.redeem(CALLER, issued.code, HERE)
    (told,) = await Claims(village.fleet, village.store.shelf, village.store).list_claims(CALLER)
    assert (told.batch, told.used_by) == ("Autumn", CALLER.subject)
    assert told.used_at is not None


async def test_what_the_list_says_of_name_and_place_holds_where_nothing_else_is_said(
    village: Village, claims: Claims
) -> None:
    market = {"type": "Point", "coordinates": [-3.2, 48.1]}
    entry = replace(ENTRY, hardware_id="70-B3-D5-49-9E-00-00-09", name="Market", location=market)
    (issued,) = await claims.create(CALLER, "Autumn", [entry])
    assert issued.entry.hardware_id == "70b3d5499e000009"
    assert "<p>Market</p>" in render_labels("Autumn", [(issued, issued.code)])
    device = await claims.redeem(CALLER, issued.code, ClaimPlace("urn:ngsi-ld:WasteContainer:m"))
    assert (device.name, await village.value(device.asset_id, "location")) == ("Market", market)


async def test_of_several_who_use_a_code_at_once_one_succeeds(claims: Claims) -> None:
    (issued,) = await claims.create(CALLER, "Autumn", [ENTRY])
    places = [replace(HERE, entity_id=f"urn:ngsi-ld:WasteContainer:{number}") for number in range(5)]
    results = await asyncio.gather(
        *(claims.redeem(CALLER, issued.code, place) for place in places), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in results) == ["AlreadyExists"] * 4 + ["Device"]


async def test_a_code_whose_use_failed_stays_open(claims: Claims) -> None:
    (issued,) = await claims.create(CALLER, "Autumn", [ENTRY])
    with pytest.raises(BadRequestData):
        await claims.redeem(CALLER, issued.code, replace(HERE, entity_id="no urn"))
    assert (await claims.redeem(CALLER, issued.code, HERE)).hardware_id == EUI


async def test_a_new_code_of_a_device_ends_the_older_one(claims: Claims) -> None:
    (first,) = await claims.create(CALLER, "Autumn", [ENTRY])
    (second, _) = await claims.create(CALLER, "Winter", [ENTRY, replace(ENTRY, hardware_id=OTHER_EUI)])
    with pytest.raises(ResourceNotFound):
        await claims.get(CALLER, first.code)
    assert (await claims.get(CALLER, second.code)).batch == "Winter"
    assert await claims.forget(CALLER, "Winter") == 2
    with pytest.raises(ResourceNotFound):
        await claims.get(CALLER, second.code)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [ENTRY, ENTRY],
        [replace(ENTRY, hardware_id="x")],
        [replace(ENTRY, technology="smoke")],
        [replace(ENTRY, profile="none")],
    ],
)
async def test_what_could_not_be_registered_gets_no_code(claims: Claims, entries: list[ClaimEntry]) -> None:
    with pytest.raises((BadRequestData, ResourceNotFound)):
        await claims.create(CALLER, "Autumn", entries)
    assert await claims.list_claims(CALLER) == []


async def test_codes_are_for_who_may_write_in_their_tenant(village: Village, claims: Claims) -> None:
    (issued,) = await claims.create(CALLER, "Autumn", [ENTRY])
    await village.store.add_tenant("neighbour")
    neighbour = replace(CALLER, tenant="neighbour")
    with pytest.raises(ResourceNotFound):
        await claims.redeem(neighbour, issued.code, HERE)
    reader = Caller("default", "user:r", Right.READ)
    with pytest.raises(Forbidden):
        await claims.create(reader, "Autumn", [ENTRY])
    with pytest.raises(Forbidden):
        await claims.redeem(reader, issued.code, HERE)
    with pytest.raises(BadRequestData):
        await claims.redeem(CALLER, "no code", HERE)


async def test_the_sheet_shows_each_code_and_needs_nothing_else(claims: Claims) -> None:
    issued = await claims.create(CALLER, "Autumn <b>", [ENTRY])
    sheet = render_labels("Autumn <b>", [(one, f"https://town.example/?code={one.code}") for one in issued])
    assert issued[0].code in sheet
    assert "Autumn &lt;b&gt;" in sheet
    assert sheet.count("<svg") == 1
    assert "src=" not in sheet

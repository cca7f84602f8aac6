"""The codec bench as people use it."""

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform
from parvis.kernel.identity import DEFAULT_TENANT
from tests.web.conftest import client_of, form_token, plain

PAGE = "/console/codecs/cayenne-lpp"
TEMPERATURE = "016700e1"
RULE = {
    "field": "temperature", "name": "temperature", "scale": "", "offset": "", "unit_code": "CEL", "minimum": "",
    "maximum": "", "varies_within_h": "", "kind": "Property",
}  # fmt: skip


async def post(client: httpx.AsyncClient, do: str, **fields: str | list[str]) -> httpx.Response:
    token = form_token((await client.get(PAGE)).text)
    frame = {"payload": TEMPERATURE, "format": "hex", "f_port": "1"}
    return await client.post(PAGE, data={"form_token": token, "do": do, **frame, **RULE, **fields})


async def test_profiles_are_listed_and_found(operator: httpx.AsyncClient) -> None:
    assert "Cayenne LPP, any device" in plain((await operator.get("/console/codecs")).text)
    found = plain((await operator.get("/console/codecs", params={"search": "eastron"})).text)
    assert "SDM630" in found
    assert "Cayenne" not in found
    none = plain((await operator.get("/console/codecs", params={"search": "nothing"})).text)
    assert "No profile matches this search." in none
    assert (await operator.get("/console/codecs/nothing")).status_code == 404


@pytest.mark.parametrize(
    ("payload", "form"),
    [("01:67 00-e1", "hex"), ("0x016700E1", "hex"), ("AWcA4Q==", "base64"), ("AWc A4Q==", "base64")],
)
async def test_a_frame_is_decoded_and_mapped(operator: httpx.AsyncClient, payload: str, form: str) -> None:
    page = await operator.get(PAGE, params={"payload": payload, "format": form, "f_port": "1"})
    assert "Temperature 22.5 °C the object" in plain(page.text)
    assert '"temperature": 22.5' in plain(page.text)


async def test_rules_are_tried_before_they_are_kept(operator: httpx.AsyncClient) -> None:
    tried = await post(operator, "run", scale="0,1", offset="1", maximum="3", name="batteryLevel", unit_code="")
    assert "325 % not possible the device" in plain(tried.text)
    assert 'value="0,1"' in tried.text
    untouched = plain((await operator.get(PAGE, params={"payload": TEMPERATURE})).text)
    assert "Temperature 22.5 °C" in untouched
    nothing = await post(operator, "run", field="humidity")
    assert "No rule takes anything of this frame." in plain(nothing.text)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"payload": "0"}, "This is not hexadecimal"),
        ({"payload": "AW", "format": "base64"}, "This is not base64."),
        ({"payload": ""}, "A frame has 1 to 4096 bytes"),
        ({"f_port": "300"}, "A port is a number from 0 to 255."),
        ({"scale": "much"}, "temperature, Scale: much is not a number."),
        ({"scale": "inf"}, "inf is not a number"),
        ({"name": "no name"}, "The frame cannot be tried."),
        ({"payload": "0167"}, "The codec"),
    ],
)
async def test_what_cannot_be_tried_says_why(operator: httpx.AsyncClient, written: dict[str, str], said: str) -> None:
    answer = await post(operator, "run", **written)
    assert answer.status_code == 200
    assert said in plain(answer.text)


async def test_an_empty_frame_is_refused_in_the_pages_language(operator: httpx.AsyncClient) -> None:
    page = await operator.get(PAGE, params={"payload": " ", "lang": "fr"})
    assert "Une trame compte de 1 à 4096 octets, celle-ci 0." in plain(page.text)


async def test_an_example_and_rules_are_kept_by_administrators(platform: Platform, operator: httpx.AsyncClient) -> None:
    kept = await post(operator, "example", description="a warm room")
    assert kept.status_code == 303
    assert "The frame is an example of this profile now." in plain((await operator.get(kept.headers["location"])).text)
    profile = platform.fleet.registry.profiles["cayenne-lpp"]
    assert profile.further_examples[-1].description == "a warm room"

    assert (await post(operator, "rules", unit_code="KEL", offset="273")).status_code == 303
    mapped = await operator.get(PAGE, params={"payload": TEMPERATURE})
    assert "Temperature 295.5 K" in plain(mapped.text)
    actions = [one.record.action for one in platform.access.store.read_audit()]
    assert {"profile-example-kept", "profile-rules-kept"} <= set(actions)

    emptied = await post(operator, "rules", field="")
    assert emptied.status_code == 400
    assert "A profile needs at least one rule." in plain(emptied.text)
    assert (await post(operator, "rules", scale=["", ""])).status_code == 400
    refused = await post(operator, "example", payload="0167")
    assert refused.status_code == 400
    assert "Only a frame that is decoded can be an example" in plain(refused.text)


async def test_others_try_and_keep_nothing(platform: Platform, operator: httpx.AsyncClient) -> None:
    _, token = platform.access.keys.create(COMMAND_LINE, "a screen in the hall", "reader", DEFAULT_TENANT, None)
    async with client_of(platform, authorization=f"Bearer {token}") as reader:
        page = await reader.get(PAGE, params={"payload": TEMPERATURE})
        assert "Temperature 22.5 °C" in plain(page.text)
        assert "Only administrators change profiles." in plain(page.text)
        assert (await post(reader, "rules")).status_code == 403
    async with client_of(platform) as visitor:
        assert (await visitor.get(PAGE)).status_code == 303
    assert (await operator.post(PAGE, data={"form_token": "forged", "do": "rules"})).status_code == 403

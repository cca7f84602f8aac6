"""Imports as people see and steer them."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.kernel.identity import DEFAULT_TENANT, system_caller
from parvis.web.console.imports import files_of
from tests.jobs.conftest import ended
from tests.web.conftest import client_of, form_token, plain, settings

BINS = """Réf;Nom;Capacité (l);Longitude;Latitude
1;Place <b>;3000;-3,36;47,74
2;Rue;beaucoup;-3,35;47,75
3;Port;1100;400;47,75
"""


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(settings(tmp_path, auth=True), listen=False) as platform, platform.jobs.running():
        yield platform


async def upload(client: httpx.AsyncClient, content: bytes = BINS.encode(), name: str = "conteneurs.csv") -> str:
    """The import's page."""
    page = await client.get("/console/imports")
    headers = {"x-form-token": form_token(page.text)}
    answer = await client.post("/console/imports/upload", params={"name": name}, content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["location"])


def fields_of(page: str) -> dict[str, str]:
    """What a browser would send of the form."""
    form = page.split('class="section import-form"')[1].split("</form>")[0]
    found = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = dict(re.findall(r'(\w[\w-]*)="([^"]*)"', tag))
        if "name" in attributes and (attributes.get("type") != "checkbox" or " checked" in tag):
            found[attributes["name"]] = attributes.get("value", "")
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        first = re.search(r'<option value="([^"]*)"', options)
        found[name] = chosen[1] if chosen else first[1] if first else ""
    return found


async def do(client: httpx.AsyncClient, path: str, deed: str, **changed: str) -> httpx.Response:
    page = (await client.get(path)).text
    fields = fields_of(page) if "import-form" in page else {"form_token": form_token(page)}
    return await client.post(path, data={**fields, "do": deed, **changed})


async def finish(platform: Platform, path: str) -> None:
    imports = files_of(platform).imports
    one = imports.folders.get(DEFAULT_TENANT, path.rpartition("/")[2])
    job = await imports.find_job(one)
    assert job is not None
    done = await ended(platform.jobs, job)
    assert done.error == ""


async def test_a_file_is_guessed_checked_and_imported(platform: Platform, operator: httpx.AsyncClient) -> None:
    path = await upload(operator)
    page = (await operator.get(path)).text
    assert 'value="WasteContainer"' in page
    assert 'value="urn:ngsi-ld:WasteContainer:{Réf}"' in page
    assert "2 places, between −3.3600 and −3.3500 east" in plain(page)
    assert "Place &lt;b&gt;" in page

    assert (await do(operator, path, "check", save="bins")).status_code == 303
    await finish(platform, path)
    checked = plain((await operator.get(path)).text)
    assert "Result of the check 3 rows read · nothing was written" in checked
    assert "New objects 2" in checked
    assert "3 Values that cannot be read Capacité (l) beaucoup" in checked
    assert "4 Places that cannot be read, or are not on Earth" in checked

    await do(operator, path, "import")
    await finish(platform, path)
    french = plain((await operator.get(path, params={"lang": "fr"})).text)
    assert "Importé" in french
    assert "Nouveaux objets 2" in french
    assert "est supprimé" not in french
    entity = await platform.broker.get(system_caller("test"), "urn:ngsi-ld:WasteContainer:1")
    location = entity.find(platform.broker.contexts.parvis.expand("location"))
    assert location is not None
    assert location.value == {"type": "Point", "coordinates": [-3.36, 47.74]}

    report = await operator.get(f"{path}/report.csv")
    assert report.headers["content-type"].startswith("text/csv")
    assert len(report.text.splitlines()) == 5

    await do(operator, path, "undo")
    await finish(platform, path)
    undone = plain((await operator.get(path, params={"lang": "en"})).text)
    assert "Undone" in undone
    assert "what it made is removed" in undone
    assert await platform.broker.find(system_caller("test"), "urn:ngsi-ld:WasteContainer:1") is None


async def test_what_was_corrected_is_used_and_can_be_used_again(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    path = await upload(operator)
    await do(operator, path, "import", type="Device", id="urn:ngsi-ld:Device:{Réf}", save="my devices")
    await finish(platform, path)
    assert await platform.broker.find(system_caller("test"), "urn:ngsi-ld:Device:1") is not None

    other = await upload(operator, name="other.csv")
    page = (await operator.get(other, params={"use": "my devices"})).text
    assert 'value="urn:ngsi-ld:Device:{Réf}"' in page
    assert "my devices" in plain((await operator.get("/console/imports")).text)


async def test_another_type_is_said_in_the_id_too(platform: Platform, operator: httpx.AsyncClient) -> None:
    path = await upload(operator)
    await do(operator, path, "preview", type="Bench")
    assert 'value="urn:ngsi-ld:Bench:{Réf}"' in (await operator.get(path)).text


async def test_rows_that_are_something_else_get_a_new_proposal_before_anything_is_done(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    readings = "Réf;Remplissage (%);Relevé le\n1;42;03/02/2026 08:00\n2;71;03/02/2026 08:00\n1;44;03/02/2026 09:00\n"
    path = await upload(operator, readings.encode())
    assert fields_of((await operator.get(path)).text)["what"] == "series"

    answer = await do(operator, path, "import", what="inventory")

    page = (await operator.get(answer.headers["location"])).text
    fields = fields_of(page)
    assert (fields["what"], fields["type"], fields["id"]) == (
        "inventory",
        "WasteContainer",
        "urn:ngsi-ld:WasteContainer:{Réf}",
    )
    taken = {fields[f"column-{n}"]: fields[f"term-{n}"] for n in range(3) if f"use-{n}" in fields}
    assert taken == {"Réf": "ref", "Remplissage (%)": "fillingLevel", "Relevé le": "releveLe"}
    assert "The columns were proposed anew." in plain(page)
    assert files_of(platform).imports.folders.get(DEFAULT_TENANT, path.rpartition("/")[2]).job_id is None

    back = await do(operator, path, "preview", what="series")
    assert fields_of((await operator.get(back.headers["location"])).text)["time_column"] == "Relevé le"


async def test_a_mapping_that_cannot_be_is_refused_in_words(operator: httpx.AsyncClient) -> None:
    path = await upload(operator)
    answer = await do(operator, path, "check", id="the same for all")
    assert answer.status_code == 400
    assert "names no column" in plain(answer.text)


async def test_a_file_that_cannot_be_read_says_so(operator: httpx.AsyncClient) -> None:
    path = await upload(operator, b"PK\x03\x04 no workbook", "x.xlsx")
    assert "x.xlsx cannot be read" in plain((await operator.get(path)).text)


async def test_a_file_of_no_kind_known_is_not_kept(platform: Platform, operator: httpx.AsyncClient) -> None:
    token = form_token((await operator.get("/console/imports")).text)
    answer = await operator.post(
        "/console/imports/upload", params={"name": "x.exe"}, content=b"MZ", headers={"x-form-token": token}
    )
    assert answer.status_code == 400
    assert answer.json()["refused"].startswith("This file is of no kind that is known.")
    assert ".csv" in answer.json()["refused"]
    assert files_of(platform).imports.folders.list_imports(DEFAULT_TENANT) == []


async def test_without_scripts_a_form_does_it(operator: httpx.AsyncClient) -> None:
    token = form_token((await operator.get("/console/imports")).text)
    answer = await operator.post(
        "/console/imports", data={"form_token": token}, files={"file": ("bins.csv", BINS.encode(), "text/csv")}
    )
    assert answer.status_code == 303
    assert "bins.csv" in (await operator.get(answer.headers["location"])).text


async def test_only_who_may_write_sees_imports(platform: Platform, operator: httpx.AsyncClient) -> None:
    path = await upload(operator)
    _, token = platform.access.keys.create(COMMAND_LINE, "a screen in the hall", "reader", DEFAULT_TENANT, None)
    async with client_of(platform, authorization=f"Bearer {token}") as reader:
        for address in ("/console/imports", path, f"{path}/report.csv", f"{path}/mapping.json"):
            assert (await reader.get(address)).status_code == 403
    async with client_of(platform) as visitor:
        assert (await visitor.get(path)).status_code == 303
    forged = await operator.post(path, data={"form_token": "forged", "do": "delete"})
    assert forged.status_code == 403
    assert (await operator.get("/console/imports/../x")).status_code == 404


async def test_how_times_are_written_is_shown_by_an_example(operator: httpx.AsyncClient) -> None:
    page = (await operator.get(await upload(operator))).text
    assert '<option value="%d/%m/%Y">31/12/2026</option>' in page
    assert '<option value="epoch-s">1798761540</option>' in page


async def test_an_import_is_forgotten_and_the_page_is_gone(operator: httpx.AsyncClient) -> None:
    path = await upload(operator)
    await do(operator, path, "delete")
    assert (await operator.get(path)).status_code == 404


UNPLACED = """Réf;Nom;Longitude;Latitude
1;Place;-3,36;47,74
2;Rue;;
3;Port;;
"""


async def test_the_check_tells_which_objects_have_no_place(platform: Platform, operator: httpx.AsyncClient) -> None:
    path = await upload(operator, UNPLACED.encode())
    await do(operator, path, "check")
    await finish(platform, path)
    text = plain((await operator.get(path)).text)
    assert "2 objects have no place in the file." in text
    assert "stand on no map" in text
    assert re.search(r"row 3: urn:ngsi-ld:\S*2 row 4: urn:ngsi-ld:\S*3", text)
    placed = await upload(operator, BINS.encode())
    await do(operator, placed, "check")
    await finish(platform, placed)
    assert "have no place" not in plain((await operator.get(placed)).text)


DOUBTFUL = """Réf;Remplissage (%);Posé le;Longitude;Latitude
1;42,5;03/02/2020;-3,36;47,74
2;340;03/02/2190;-3,36;47,75
3;-12;05/06/2019;-3,36;91
4;12,5;05/06/2019;-3,36;47,76
"""


async def test_the_check_warns_of_values_that_cannot_be(platform: Platform, operator: httpx.AsyncClient) -> None:
    path = await upload(operator, DOUBTFUL.encode())
    await do(operator, path, "check")
    await finish(platform, path)
    english = plain((await operator.get(path)).text)
    assert "2 values look impossible." in english
    assert "Remplissage (%): 1 value is not between 0% and 100%. row 3: 340" in english
    assert re.search(r"Posé le: 1 date is before 1 January 1000 or after \d+ \w+ 20\d\d. row 3: 03/02/2190", english)
    assert "4 Places that cannot be read, or are not on Earth" in english
    french = plain((await operator.get(path, params={"lang": "fr"})).text)
    assert "Remplissage (%) : 1 valeur n’est pas comprise entre 0 % et 100 %. ligne 3 : 340" in french
    assert "Géométrie Ce n’est pas sur la Terre : la projection est-elle la bonne ?" in french

    sound = await upload(operator, DOUBTFUL.replace("340", "34").replace("2190", "2019").encode())
    await do(operator, sound, "check")
    await finish(platform, sound)
    assert "impossible" not in plain((await operator.get(sound)).text)


READINGS = """station;heure;température (°C)
s1;03/02/2026 14:00;7,5
s1;03/02/2026 15:00;{second}
s1;03/02/{year} 16:00;8,5
"""


async def test_another_value_at_the_same_time_is_told_in_the_language_of_the_page(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    for second in ("7,5", "9,25"):
        path = await upload(operator, READINGS.format(second=second, year=2026).encode(), "météo.csv")
        await do(operator, path, "import")
        await finish(platform, path)
    assert "It says 9.25, 7.5 is stored." in plain((await operator.get(path)).text)
    french = plain((await operator.get(path, params={"lang": "fr"})).text)
    assert "Le fichier dit 9.25 ; 7.5 est déjà enregistré pour ce moment." in french


async def test_a_time_of_measuring_that_is_to_come_is_doubted(platform: Platform, operator: httpx.AsyncClient) -> None:
    path = await upload(operator, READINGS.format(second="9000", year=2190).encode(), "météo.csv")
    await do(operator, path, "check")
    await finish(platform, path)
    text = plain((await operator.get(path)).text)
    assert "2 values look impossible." in text
    assert "heure: 1 date is before 1 January 1850" in text
    assert "température (°C): 1 value is not between" in text

"""What people's own input is refused for, and why things fail: French pages say it in French."""

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import httpx
import pytest

import parvis
from parvis.bootstrap import Platform
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant
from parvis.web.causes import Explained
from parvis.web.faults import explain_fault
from parvis.web.wording import wording
from tests.fakes.town import HALF_BIN
from tests.web.conftest import form_token, plain

FR, EN = wording("fr", "UTC"), wording("en", "UTC")
SOURCE = Path(parvis.__file__).parent
EUI = "70b3d5499e000001"
RULE = {
    "do": "rules", "payload": "", "field": "temperature_c", "scale": "", "offset": "", "unit_code": "", "minimum": "",
    "maximum": "", "varies_within_h": "", "kind": "Property",
}  # fmt: skip
NEW = {"label": "02545202af0001ff", "profile": "generic-climate", "technology": "lorawan"}
REACHED = (
    "fleet/profiles/bench.py",
    "fleet/commands/downlink.py",
    "fleet/devices",
    "fleet/profiles/mapping.py",
    "connectors/files",
    "connectors/feeds",
    "ground/outline.py",
    "ground/pmtiles.py",
    "operations",
    "web/console",
)
"""Where what people write in the console is refused, or what the console tells the fault of."""
REFUSALS = {
    "AlreadyExists", "BadRequestData", "InvalidBaseMap", "InvalidMapping", "InvalidProfile", "MappingFailure", "NoFeed",
    "NotSendable", "ResourceNotFound", "UnreadableFeed", "WorkFailed",
}  # fmt: skip
ELSEWHERE = {
    "There is no such job.": "the page of what is not found says it all",
    "There is no incident X.": "the page of what is not found says it all",
    "There is no import 'X'.": "the page of what is not found says it all",
    "no-reading": "a code, whose sentence is of the jobs",
    "No file matches source.file, 'X'.": "on the command line only",
    "X does not match source.file, 'X'.": "on the command line only",
    "These are more than X tiles: say the bounds of your territory (--bounds=west,south,east,north)"
    " or take a smaller extract.": "on the command line only",
    "Within these bounds there is nothing to draw.": "on the command line only",
    "X has an unreadable tile X/X/X ('X').": "in the log: maps show no tile there",
    "X: X.": "of a mapping written by hand: what the reader of its language says",
}


GUARDS = (
    "access/accounts.py", "access/privacy", "access/roles", "broker/rights.py", "fleet", "jobs/jobs.py", "web/auth.py",
    "web/console",
)  # fmt: skip
"""Where a right is asked for that a page needs."""
OF_THE_API = {
    "Jobs of kind X concern all tenants: start them in 'X'.": "no page starts one",
    "X is no network server of tenant X.": "told to a network server",
}


def list_refusals(parts: Iterable[str] = REACHED, kinds: Collection[str] = REFUSALS) -> Iterator[str]:
    """Each sentence as it is written in the code, with something in its places."""
    for part in parts:
        path = SOURCE / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds:
                    yield from (text for text in map(said, node.args[:1]) if text)


def said(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        return ""
    return "".join(str(one.value) if isinstance(one, ast.Constant) else in_place(one) for one in node.values)


def in_place(node: ast.expr) -> str:
    """What hints is left out, and a number, a name or a quotation stands for the rest."""
    assert isinstance(node, ast.FormattedValue)
    if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "nearest":
        return ""
    return "'X'" if node.conversion == ord("r") else "X"


def test_every_refusal_that_the_console_can_tell_has_a_french_sentence() -> None:
    refusals = sorted({*list_refusals()} - set(ELSEWHERE))
    assert len(refusals) > 80, "the search finds what there is"
    assert [text for text in refusals if not explain_fault(text, FR).sentence] == []


def test_every_right_that_a_page_asks_for_has_a_french_sentence() -> None:
    refusals = {*list_refusals(GUARDS, {"Forbidden"})}
    assert len(refusals) > 20, "the search finds what there is"
    assert [text for text in sorted(refusals - set(OF_THE_API)) if not explain_fault(text, FR).sentence] == []
    told = explain_fault("user:ada may not look through the audit trail in tenant kerlann.", FR).sentence
    assert told == "ada n’a pas le droit de consulter le journal d’audit dans l’espace kerlann."


def test_an_english_page_says_it_as_the_api_does() -> None:
    for text in (
        "bins.csv has no column 'fil'. Did you mean 'fill'?",
        "'x' is no entity id: write a URI such as urn:ngsi-ld:WasteContainer:1.",
        "The profile has 100 examples already.",
    ):
        assert explain_fault(text, EN) == Explained(text, "")


@pytest.mark.parametrize(
    ("text", "french", "left"),
    [
        (
            "bins.csv has no column 'fil'. Did you mean 'fill'?",
            "bins.csv n’a pas de colonne « fil ». Vouliez-vous dire « fill » ?",
            "",
        ),
        ("bins.xlsx cannot be read: BadZipFile no zip.", "bins.xlsx ne peut être lu.", "BadZipFile no zip"),
        ("mapping: there is no encoding 'zz'.", "L’encodage « zz » n’existe pas.", ""),
        (
            "ConnectionRefusedError: [Errno 111] Connect call failed ('10.0.0.1', 502)",
            "Aucune connexion à 10.0.0.1:502 (erreur 111).",
            "",
        ),
        ("pump-1: The broker closed the connection.", "pump-1 : Le serveur MQTT a fermé la connexion.", ""),
        ("NoFeed: It answered with status 500.", "Le service a répondu par le code 500.", ""),
        ("RangeError: Offset is outside", "", "RangeError: Offset is outside"),
    ],
)
def test_what_others_wrote_stays_and_the_rest_is_french(text: str, french: str, left: str) -> None:
    told = explain_fault(text, FR)
    assert (told.sentence.replace("\u00a0", " "), told.detail) == (french, left)


def test_a_fault_within_a_fault_is_told_with_it() -> None:
    text = "example 2: battery is 'low': only a number can be scaled"
    assert explain_fault(text, FR).sentence.startswith(
        "Avec ces règles, l’exemple 2 du profil ne tient plus. battery vaut"
    )
    assert explain_fault(text, EN) == Explained(text, "")


@pytest.mark.parametrize("text", ["", ":", ": : :", "a: " * 300, "Did you mean ?", " Did you mean 'x'?" * 40])
def test_any_text_is_taken(text: str) -> None:
    explain_fault(text, FR)


ENGLISH = re.compile(r'lang="en"[^>]*>\s*[^<\s]')


@pytest.mark.parametrize(
    ("path", "form", "french"),
    [
        ("/console/codecs/generic-climate", {"do": "example", "payload": "0", "f_port": "1"}, "pas de l’hexadécimal"),
        ("/console/codecs/generic-climate", {"do": "rules", "payload": ""}, "au moins une règle"),
        ("/console/codecs/generic-climate", {"do": "dance", "payload": ""}, "Choisissez ce qui est à faire"),
        ("/console/codecs/generic-climate", RULE | {"name": "1st"}, "doit commencer par une lettre"),
        ("/console/codecs/generic-climate", RULE | {"name": "@id"}, "n’est pas un nom"),
        (f"/console/devices/{EUI}", {"do": "update", "name": "x", "technology": "smoke"}, "n’existe pas ; il y a"),
        (f"/console/devices/{EUI}", {"do": "update", "name": "x" * 300}, "de 1 à 256 caractères"),
        (f"/console/devices/{EUI}", {"do": "dance"}, "Le formulaire ne dit pas"),
        (f"/console/devices/{EUI}", {"do": "command", "port": "0", "payload": "01"}, "va de 1 à 223"),
        (f"/console/devices/{EUI}", {"do": "replace", "hardware_id": EUI}, "ne peut être remplacé"),
        ("/console/devices/new", {"label": "https://a.example/?x=1", "profile": "generic-climate"}, "illisible"),
        ("/console/devices/new", NEW | {"entity_id": "urn:ngsi-ld:Tree:404"}, "n’existe pas"),
        ("/console/devices/new", NEW | {"name": "x" * 300}, "de 1 à 256 caractères"),
        ("/console/devices", {"do": "dance", "to": "/console/devices/change"}, "ne dit pas ce qui est à changer"),
    ],
)
async def test_a_french_page_refuses_in_french(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient, path: str, form: dict[str, str], french: str
) -> None:
    await platform.fleet.register(caller, [DeviceRecord(EUI, "generic-climate", HALF_BIN, name="Attic")])
    page = form.get("to", path)
    token = form_token((await operator.get(path)).text)
    answer = await operator.post(f"{page}?lang=fr", data={"form_token": token, **form})
    assert answer.status_code in (400, 404, 409), answer.headers.get("location")
    assert french in plain(answer.text).replace("\u00a0", " ")
    assert ENGLISH.findall(without_languages(answer.text)) == []


def without_languages(page: str) -> str:
    """The link to the English page is English."""
    return re.sub(r"<a[^>]*hreflang[^>]*>.*?</a>", "", page, flags=re.DOTALL)


async def test_a_frame_of_an_unknown_device_is_not_adopted_under_an_impossible_name(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    stranger = "00000000000000ab"
    await platform.fleet.take(caller, [Uplink(stranger, b"\x01", 1, 1, now)])
    page = f"/console/quarantine/adopt?device={stranger}"
    token = form_token((await operator.get(page)).text)
    form = {"form_token": token, "device": stranger, "profile": "generic-climate", f"entity_id-{stranger}": "a bin"}
    answer = await operator.post("/console/quarantine/adopt?lang=fr", data=form)
    assert "« a bin » n’identifie pas un objet" in plain(answer.text).replace("\u00a0", " ")
    assert ENGLISH.findall(without_languages(answer.text)) == []

"""Marie, whom a small town knows in many places, and what is done for her."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from parvis.access.access import COMMAND_LINE
from parvis.access.model import Account
from parvis.access.privacy.person.cases import Case
from parvis.access.privacy.person.found import Fate, Found, Place
from parvis.access.privacy.person.identifiers import By, identifier
from parvis.bootstrap import Platform
from parvis.bootstrap.archive import run_archive
from parvis.bootstrap.persons import erasing, find
from parvis.bootstrap.stores import frames_of
from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.subscriptions.model import DeadLetter, Endpoint, NotificationParams, Subscription
from parvis.fleet.model.frame import LoggedFrame, Room
from parvis.fleet.model.refusal import Refusal, RefusalReason
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.identity import DEFAULT_TENANT, Caller, system_caller
from parvis.kernel.shelf import Box
from parvis.kernel.shelf import Place as OnShelf
from parvis.kernel.time import DAY, HOUR, system_clock
from parvis.stores.postgres.store import PostgresStore

MARIE = "urn:ngsi-ld:Person:1"
ELSE = "urn:ngsi-ld:Person:2"
REPORT = "urn:ngsi-ld:Report:7"
DWELLING = "urn:ngsi-ld:Dwelling:12"
EMAIL, TELEPHONE = "marie.dupont@example.fr", "06 12 34 56 78"
PERSON = "https://schema.org/Person"
REPORT_TYPE = "https://example.org/Report"
STEWARD = replace(COMMAND_LINE, tenant=DEFAULT_TENANT)


def name_of(local: str) -> str:
    return f"https://example.org/{local}"


def prop(local: str, value: Any, **more: Any) -> Instance:
    return Instance(name_of(local), Kind.PROPERTY, value, **more)


async def fill(platform: Platform, *, is_archived: bool = False) -> None:
    """Marie and somebody else; a report that Marie made and was called back for; a dwelling that tells no name."""
    old = system_clock() - 30 * DAY
    caller = system_caller("test")
    changes = (
        Change(MARIE, Mode.CREATE, (prop("email", EMAIL), prop("note", "old", observed_at=old)), (PERSON,)),
        Change(ELSE, Mode.CREATE, (prop("email", f"anne-{EMAIL}"),), (PERSON,)),
        Change(REPORT, Mode.CREATE, (prop("text", f"call {TELEPHONE}", observed_at=old),), (REPORT_TYPE,)),
        Change(DWELLING, Mode.CREATE, (prop("level", 3.5, observed_at=old),), (name_of("Dwelling"),)),
    )
    for change in changes:
        assert (await platform.broker.write(caller, [change]))[0].status is Status.CREATED
    if is_archived:
        await move_old_days(platform)
    by = Instance(name_of("reportedBy"), Kind.RELATIONSHIP, MARIE)
    crew = prop("text", "the lamp is broken", observed_at=old + HOUR)
    later = Change(REPORT, Mode.APPEND, (by, crew, prop("lamp", "told by Marie Dupont")))
    assert (await platform.broker.write(caller, [later]))[0].status is Status.UPDATED
    await _note(platform)


async def move_old_days(platform: Platform) -> None:
    """Into files, once nobody is to be told of what came."""
    store = platform.eraser.store
    if isinstance(store, PostgresStore):
        await store.prune(await store.newest())
    await run_archive(platform.settings, store, lambda _part, _words: None)
    assert await store.archive.list_files(DEFAULT_TENANT)


async def _note(platform: Platform) -> None:
    store, now = platform.eraser.store, system_clock()
    told = NotificationParams(Endpoint("http://example.org/told", receiver_info=(("X-Owner", EMAIL),)))
    other = NotificationParams(Endpoint("http://example.org/other"))
    for number, params in enumerate((told, other), 1):
        await store.subscriptions.add(Subscription(DEFAULT_TENANT, f"urn:ngsi-ld:Subscription:{number}", params))
    uplinks = [Uplink("probe", f"from {one}".encode(), 1, number, now) for number, one in enumerate((EMAIL, "nobody"))]
    frames = frames_of(store)
    room = Room()
    refusals = [Refusal(0, now, DEFAULT_TENANT, RefusalReason.CODEC_THREW, "", one) for one in uplinks]
    await frames.keep(refusals, room)
    await frames.log([LoggedFrame(DEFAULT_TENANT, one, {"said": "x"}) for one in uplinks], room)
    letters = [
        DeadLetter(DEFAULT_TENANT, "urn:ngsi-ld:Subscription:2", now, one, 1, "http://example.org", "x", 3, b"{}", {})
        for one in (MARIE, DWELLING)
    ]
    await store.subscriptions.bury(letters, 10)
    box = Box(DEFAULT_TENANT, "snapshot-entities")
    kept = {OnShelf(box, b"1"): json.dumps({"of": EMAIL}).encode(), OnShelf(box, b"2"): b'{"of": 1}'}
    duty = {OnShelf(Box(DEFAULT_TENANT, "incidents"), b"1"): json.dumps({"text": EMAIL}).encode()}
    await store.shelf.change((), {**kept, **duty}, ())
    access = platform.access.store
    access.add_account(Account("ada", "$x", "administrator", DEFAULT_TENANT, now))
    access.add_account(Account(EMAIL, "$x", "operator", DEFAULT_TENANT, now))
    access.add_account(Account("marie.dupont@example.fr.other", "$x", "operator", DEFAULT_TENANT, now))
    platform.access.keys.create(STEWARD, f"phone of {EMAIL}", "reader")
    uploaded = platform.settings.data_dir / "imports" / DEFAULT_TENANT / "1" / "source" / "people.csv"
    uploaded.parent.mkdir(parents=True)
    uploaded.write_text(f"name,email\nMarie,{EMAIL}\n")


async def search(platform: Platform, *asked: tuple[By, str], by: Caller = STEWARD) -> Case:
    case = await platform.persons.search(by, [identifier(*one) for one in asked])
    await asyncio.to_thread(find, in_job(platform, case))
    return platform.persons.get(by, case.id)


def in_job(platform: Platform, case: Case) -> Any:
    arguments = {"case": case.id, "data_dir": str(platform.settings.data_dir)}
    return SimpleNamespace(
        tenant=case.tenant, arguments=arguments, attempt=1, cancelled=False, report=lambda _part, _words="": None
    )


def found_in(platform: Platform, case: Case) -> list[Found]:
    return list(platform.persons.cases.list_found(case))


def ids(found: list[Found], place: Place, fate: Fate = Fate.GOES) -> list[str]:
    return sorted(one.id for one in found if one.place is place and one.fate is fate)


async def erase(platform: Platform, case: Case) -> Case:
    ordered = await platform.persons.erase(STEWARD, case.id, "objection", "ERASE")
    await erasing(platform.settings, platform.eraser)(in_job(platform, ordered))
    return platform.persons.get(STEWARD, case.id)

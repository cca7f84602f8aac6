"""A tenant leaves with everything and is the same elsewhere, on whichever store."""

import asyncio
import dataclasses
import hashlib
import shutil
import tomllib
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import httpx
import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from parvis.access.audit_proof import prove
from parvis.access.members.model import Mandate, Member
from parvis.access.model import Account, AuditRecord
from parvis.access.ports import AccessStore
from parvis.access.privacy.model import Action, Cover, LedgerEntry, Policy, Purpose
from parvis.access.roles.model import Assignment, Classified, Role, RoleGrant
from parvis.backup.bundle.manifest import Manifest, read_manifest
from parvis.bootstrap import open_platform
from parvis.bootstrap.archive import ArchiveAtHand, adopt_archive, run_archive
from parvis.bootstrap.arriving import import_bundle
from parvis.bootstrap.leaving import export_tenant
from parvis.bootstrap.stores import open_access, open_store
from parvis.broker.jsonld.kept import KeptContexts
from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.leaving import TenantNotEmpty
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import EntityQuery, TemporalQuery
from parvis.broker.sources.model import Registration
from parvis.broker.sources.subscription import SourceSubscription
from parvis.broker.subscriptions.model import Endpoint, NotificationParams, Subscription
from parvis.broker.temporal.erasure import Erasure
from parvis.fleet.profiles.profile import PACKAGED_PROFILES
from parvis.fleet.profiles.text import for_tenant
from parvis.kernel.errors import NonexistentTenant
from parvis.kernel.settings import (
    AccessSettings,
    Settings,
)
from parvis.kernel.time import DAY, HOUR, system_clock
from parvis.web.server import assemble
from tests.contract.territory import BIN, LAMP, LEVEL, bin_, bin_id, level, note, place
from tests.fakes.places import settings_in

TOWN = "town"
Told = TypeVar("Told")
BY = "test"
START = 1_795_348_800_000_000
ASKED = (
    "csourceRegistrations/urn:ngsi-ld:ContextSourceRegistration:1",
    "entities?options=sysAttrs&local=true",
    f"entities/{bin_id(1)}?options=sysAttrs",
    f"temporal/entities/{bin_id(1)}?options=sysAttrs",
    f"temporal/entities/{bin_id(2)}?options=sysAttrs",
    f"temporal/entities/{bin_id(3)}?options=sysAttrs",
    f"temporal/entities?type={BIN}&timerel=after&timeAt=2020-01-01T00:00:00Z&options=temporalValues",
    "types?details=true",
    "attributes?details=true",
)
GARDENS = Purpose(
    id="gardens",
    name={"fr": "Jardins partagés", "en": "Shared gardens"},
    basis="e",
    covers=(Cover(type="Garden", attributes=("owner",), keep="P13M"),),
    version=2,
)
POLICY = Policy(executes=True, executes_since=START, controller="Town of Trevalan", contact="dpo@town.example")
ERASED = LedgerEntry(
    tenant=TOWN, at=START, action=Action.ERASED, key="night-1", by="system:privacy", purpose="gardens", version=2,
    type="Garden", attribute="owner", count=41, objects=3, since=START - 2 * DAY, until=START - DAY,
)  # fmt: skip
MANDATE = Mandate(
    id="m", member=TOWN, role="operator", since=START, until=START + 365 * DAY, reference="2026-14",
    granted_by="user:odile", granted_at=START,
)  # fmt: skip
MEMBER = Member(
    tenant=TOWN, title="Trevalan", since=START, code="56999", hosts=("town.example",), public_types=("Garden",),
    outline={"type": "Polygon", "coordinates": [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]]},
)  # fmt: skip
EACH_KIND = (
    Instance("https://example.org/whole", Kind.PROPERTY, 3, "urn:ngsi-ld:Dataset:a"),
    Instance("https://example.org/whole", Kind.PROPERTY, 3.0, "urn:ngsi-ld:Dataset:b"),
    Instance("https://example.org/large", Kind.PROPERTY, 2**62 + 1),
    Instance("https://example.org/list", Kind.PROPERTY, [1, "two", {"three": True}]),
    Instance("https://example.org/yes", Kind.PROPERTY, True),
    Instance("https://example.org/null-character", Kind.PROPERTY, "a\0b\1c"),
    Instance("https://example.org/street", Kind.RELATIONSHIP, "urn:ngsi-ld:Road:d7"),
    Instance("https://example.org/name", Kind.LANGUAGE_PROPERTY, {"fr": "Le port", "en": "The harbour"}),
    Instance("https://example.org/category", Kind.VOCAB_PROPERTY, "https://example.org/Glass"),
    Instance("https://example.org/raw", Kind.JSON_PROPERTY, {"any": [None, 1.5]}),
    Instance("https://example.org/series", Kind.LIST_PROPERTY, [1, 2.5]),
    Instance("https://example.org/crew", Kind.LIST_RELATIONSHIP, ["urn:ngsi-ld:Person:1", "urn:ngsi-ld:Person:2"]),
)


async def opened(settings: Settings, act: Callable[[Store], Awaitable[Told]]) -> Told:
    at_hand = ArchiveAtHand(settings)
    store = await open_store(settings, at_hand.read)
    try:
        return await act(store)
    finally:
        await store.close()
        at_hand.close()


async def fill(settings: Settings) -> None:
    """A small town with a past: in files, in the store, corrected, erased, deleted; with what it has set up."""
    now = system_clock()
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async def act(store: Store) -> None:
        await store.add_tenant(TOWN)
        accuracy = {"https://example.org/accuracy": {"type": "Property", "value": 0.5}}
        for change in (
            bin_(1, place(-3.37, 47.75), *EACH_KIND, scopes=("/port", "/town/north")),
            bin_(2, level(7.5, now - HOUR, extra=accuracy), types=(LAMP, BIN)),
            *(bin_(number, level(age + number, now - age * DAY)) for age in (30, 29, 3, 0) for number in (1, 2, 3, 4)),
        ):
            assert (await store.write(TOWN, [change]))[0].status is not Status.FAILED
        await run_archive(settings, store, lambda _part, _words: None)
        await store.write(TOWN, [bin_(1, note("late"), level(99.5, now - 30 * DAY + HOUR))])
        await store.write(TOWN, [bin_(1, scopes=("/port",), mode=Mode.UPDATE)])
        await store.write(TOWN, [Change(bin_id(3), Mode.DELETE), Change(bin_id(4), Mode.DELETE)])
        await store.erase(TOWN, Erasure(bin_id(4)))
        await store.erase(TOWN, Erasure(bin_id(2), LEVEL, "", None, now - 28 * DAY, None))
        told = NotificationParams(Endpoint("http://example.org/told", receiver_info=(("Authorization", "Bearer 1"),)))
        await store.subscriptions.add(Subscription(TOWN, "urn:ngsi-ld:Subscription:1", told))
        registration = Registration(TOWN, "urn:ngsi-ld:ContextSourceRegistration:1", "http://example.org")
        await store.sources.add(registration, lambda _others: None)
        wish = Subscription(TOWN, "urn:ngsi-ld:Subscription:2", told)
        await store.sources.add_subscription(SourceSubscription(wish))
        await KeptContexts(store.shelf).host(TOWN, {"name": "https://example.org/name"})

    await opened(settings, act)
    own = settings.data_dir / "profiles/own-probe"
    shutil.copytree(PACKAGED_PROFILES / "generic-climate", own)
    text = (own / "profile.toml").read_text()
    (own / "profile.toml").write_text(text.replace("generic-climate", "own-probe", 1))
    with closing(open_access(settings).store) as access:
        access.append_audit(AuditRecord(now, TOWN, "user:odile", "signed-in", "odile"))
        access.append_audit(AuditRecord(now, "default", "user:other", "signed-in", "other"))
        access.add_account(Account("odile", "$argon2id$secret", "operator", TOWN, now))
        lay_rights(access)


def lay_rights(access: AccessStore) -> None:
    access.members.put_member(MEMBER)
    access.members.put_member(replace(MEMBER, tenant="other", hosts=()))
    for tenant in (TOWN, "other"):
        access.roles.put_role(tenant, Role((RoleGrant(("read", "command"), ("Streetlight",)),), name=f"lamps-{tenant}"))
        access.roles.put_class(tenant, Classified("owner", "personal", "Garden"))
        access.privacy.put_purpose(tenant, GARDENS)
        access.privacy.append_ledger(replace(ERASED, tenant=tenant))
        access.members.put_mandate(replace(MANDATE, id=f"m-{tenant}", member=tenant))
    access.privacy.put_policy(TOWN, POLICY)
    access.privacy.append_ledger(replace(ERASED, key="night-2", at=START + 1, person="ab12", places={"history": 3}))
    access.roles.put_assignment(Assignment("a1", "user:odile", TOWN, f"lamps-{TOWN}", START, None, (), ("/port",)))


def rights_of(settings: Settings) -> dict[str, Any]:
    with closing(open_access(settings).store) as access:
        return {
            "roles": [role for tenant, role in access.roles.list_roles() if tenant == TOWN],
            "classes": [one for tenant, one in access.roles.list_classes() if tenant == TOWN],
            "purposes": access.privacy.list_purposes(TOWN),
            "policy": access.privacy.find_policy(TOWN),
            "ledger": [replace(one, number=0) for one in access.privacy.list_ledger(TOWN)],
            "member": access.members.find_member(TOWN),
        }


async def everything(settings: Settings) -> dict[str, Any]:
    """What the store answers of the town."""

    async def act(store: Store) -> dict[str, Any]:
        page = await store.query(TOWN, EntityQuery())
        past = {number: await store.history(TOWN, bin_id(number), TemporalQuery()) for number in (1, 2, 3, 4)}
        subscribed = (await store.subscriptions.list_page(TOWN, 100)).subscribed
        return {
            "entities": {one.id: replace(one, rendered={}) for one in page.entities},
            "past": past,
            "types": await store.count_types(TOWN),
            "subscriptions": [one.subscription for one in subscribed],
            "registrations": await store.sources.list_all(),
            "wishes": [one.subscription for one in await store.sources.list_all_subscriptions()],
            "contexts": await KeptContexts(store.shelf).list(TOWN),
        }

    return await opened(settings, act) | rights_of(settings)


def manifest_at(bundle: Path) -> Manifest:
    return read_manifest((bundle / "manifest.json").read_bytes())


async def test_it_is_the_same_after_a_round_trip_through_the_other_store(
    tmp_path: Path, prepared_postgres_url: str
) -> None:
    embedded, shared, back = (
        settings_in(tmp_path / "embedded"),
        settings_in(tmp_path / "shared", prepared_postgres_url),
        settings_in(tmp_path / "back"),
    )
    await fill(embedded)
    wanted = await everything(embedded)
    contents = set()

    for source, target in ((embedded, shared), (shared, back)):
        bundle = tmp_path / f"from-{source.data_dir.name}"
        manifest = await asyncio.to_thread(export_tenant, source, TOWN, bundle, BY)
        contents.add(manifest.content)
        await asyncio.to_thread(import_bundle, target, bundle, TOWN, BY)
        assert await everything(target) == wanted
    contents.add((await asyncio.to_thread(export_tenant, back, TOWN, tmp_path / "again.zip", BY)).content)

    assert len(contents) == 1
    assert len(wanted["entities"]) == 2
    assert wanted["past"][3].deleted_at is not None
    assert wanted["past"][4] is None
    assert [role.name for role in wanted["roles"]] == [f"lamps-{TOWN}"]
    assert [one.key for one in wanted["ledger"]] == ["night-1", "night-2"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "town"
    asyncio.run(fill(settings_in(folder)))
    return folder


@pytest.fixture
def town(filled: Path, tmp_path: Path) -> Settings:
    settings = settings_in(tmp_path / "town")
    shutil.copytree(filled, settings.data_dir)
    adopt_archive(settings)
    return settings


async def exported(settings: Settings, target: Path) -> Manifest:
    return await asyncio.to_thread(export_tenant, settings, TOWN, target, BY)


async def answers_of(settings: Settings) -> dict[str, Any]:
    """What the API says of the town, to the byte."""
    by_path = {}
    open_to_all = dataclasses.replace(settings, access=AccessSettings(auth=False))
    async with open_platform(open_to_all, listen=False) as platform:
        transport = httpx.ASGITransport(assemble(platform, CollectorRegistry()))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for path in ASKED:
                answer = await client.get(f"/ngsi-ld/v1/{path}", headers={"NGSILD-Tenant": TOWN})
                by_path[path] = (answer.status_code, answer.json())
    return by_path


async def test_the_api_answers_the_same(town: Settings, tmp_path: Path) -> None:
    await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY)

    wanted = await answers_of(town)

    assert await answers_of(there) == wanted
    assert {path: status for path, (status, _) in wanted.items()} == dict.fromkeys(ASKED, 200)
    assert wanted["entities?options=sysAttrs&local=true"][1]


async def test_two_exports_of_the_same_are_the_same_files(town: Settings, tmp_path: Path) -> None:
    one = await exported(town, tmp_path / "one.zip")
    other = await exported(town, tmp_path / "other")

    assert one.content == other.content
    differing = {a.path for a, b in zip(one.files, other.files, strict=True) if a != b}
    assert differing <= {"README.md", "audit.ndjson"}


async def test_nobody_gets_a_right_elsewhere_by_a_bundle(town: Settings, tmp_path: Path) -> None:
    manifest = await exported(town, tmp_path / "bundle")
    assert (manifest.counts["mandates"], manifest.counts["assignments"]) == (1, 1)
    assert '"reference":"2026-14"' in (tmp_path / "bundle/mandates.ndjson").read_text()
    assert '"scopes":["/port"]' in (tmp_path / "bundle/assignments.ndjson").read_text()
    there = settings_in(tmp_path / "there")

    brought = await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY)

    with closing(open_access(there).store) as access:
        assert access.members.list_mandates() == []
        assert access.roles.list_assignments() == []
        assert access.list_accounts() == []
    assert any("1 mandates" in words for words in brought.words)
    assert any("assignments.ndjson" in words for words in brought.words)


async def test_what_is_said_there_of_rights_and_data_stays(town: Settings, tmp_path: Path) -> None:
    await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    there.data_dir.mkdir()
    other = Role((RoleGrant(("read",)),), name=f"lamps-{TOWN}")
    neighbour = replace(MEMBER, tenant="neighbour", title="Neighbour")
    with closing(open_access(there).store) as access:
        access.roles.put_role(TOWN, other)
        access.privacy.put_policy(TOWN, Policy(controller="the new pool"))
        access.members.put_member(neighbour)

    brought = await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY)

    told = rights_of(there)
    assert told["roles"] == [other]
    assert told["policy"] == Policy(controller="the new pool")
    assert told["member"] == replace(MEMBER, hosts=())
    assert any("host name town.example" in words for words in brought.words)


async def test_a_bundle_gives_nobody_who_is_there_other_rights(town: Settings, tmp_path: Path) -> None:
    with closing(open_access(town).store) as access:
        for name in ("reader", "auditor"):
            access.roles.put_role(TOWN, Role((RoleGrant(("read", "administer")),), name=name))
    await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    there.data_dir.mkdir()
    with closing(open_access(there).store) as access:
        access.add_account(Account("anne", "$argon2id$secret", "reader", TOWN, START))

    brought = await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY)

    assert {role.name for role in rights_of(there)["roles"]} == {"auditor", f"lamps-{TOWN}"}
    assert any("The role reader is left out" in words for words in brought.words)


async def test_what_is_added_to_others_says_nothing_of_who_reads_and_what_is_erased(
    town: Settings, tmp_path: Path
) -> None:
    await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    brought = await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY, is_added=True)
    assert not any(rights_of(there).values())
    assert brought.counts["roles"] == 0
    assert any("is left out" in words for words in brought.words)


async def test_in_the_pool_it_is_no_member(town: Settings, tmp_path: Path) -> None:
    await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    brought = await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", "default", BY)
    with closing(open_access(there).store) as access:
        assert access.members.list_members() == []
        assert [tenant for tenant, _ in access.roles.list_roles()] == ["default"]
    assert any("member.ndjson" in words for words in brought.words)


async def test_no_secret_and_nobody_else_is_in_it(town: Settings, tmp_path: Path) -> None:
    await exported(town, tmp_path / "bundle")
    bundle = tmp_path / "bundle"

    assert "argon2id" not in (bundle / "people.ndjson").read_text()
    assert '"odile"' in (bundle / "people.ndjson").read_text()
    trail = (bundle / "audit.ndjson").read_bytes()
    proven = prove(trail.splitlines())
    assert (proven.entries, proven.shown) == (2, 1)
    assert b"user:other" not in trail


async def test_settings_are_told_without_what_holds_a_secret(town: Settings, tmp_path: Path) -> None:
    table = {"tenant": TOWN, "url": "mqtt://me:hidden@host", "password": "hidden", "api_key": "${KEY}", "topics": ["a"]}
    settings = dataclasses.replace(town, connectors={"ours": table, "theirs": {"tenant": "other", "url": "x"}})

    await exported(settings, tmp_path / "bundle")

    text = (tmp_path / "bundle/configuration.toml").read_text()
    assert "hidden" not in text
    told = tomllib.loads(text)
    assert told["connectors"] == {
        "ours": {"tenant": TOWN, "url": "mqtt://host", "password": "", "api_key": "${KEY}", "topics": ["a"]}
    }
    assert told["territory"]["name"] == settings.territory.name


async def test_the_sums_are_those_that_others_compute(town: Settings, tmp_path: Path) -> None:
    await exported(town, tmp_path / "bundle")

    for line in (tmp_path / "bundle/SHA256SUMS").read_text().splitlines():
        digest, path = line.split("  ")
        assert hashlib.sha256((tmp_path / "bundle" / path).read_bytes()).hexdigest() == digest


async def test_history_is_read_by_anybody(town: Settings, tmp_path: Path) -> None:
    await exported(town, tmp_path / "bundle")

    found = duckdb.execute(
        f"SELECT entity, number, kind FROM '{tmp_path}/bundle/history/*.parquet'"
        f" WHERE attribute = '{LEVEL}' AND entity = '{bin_id(1)}' ORDER BY time"
    ).fetchall()

    assert [number for _, number, _ in found] == [31, 99.5, 30, 4, 1]


async def test_an_export_and_an_import_are_in_the_trail(town: Settings, tmp_path: Path) -> None:
    manifest = await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", "village", BY)

    def newest(settings: Settings) -> AuditRecord:
        with closing(open_access(settings).store) as access:
            return access.list_audit(None, 1)[0].record

    assert (newest(town).action, newest(town).facts["content"]) == ("tenant-exported", manifest.content)
    assert (newest(there).action, newest(there).tenant) == ("tenant-imported", "village")
    with closing(open_access(there).store) as access:
        brought = {
            one.record.action: one.record for one in access.read_audit() if one.record.facts.get("by") == "bundle"
        }
    assert {one.tenant for one in brought.values()} == {"village"}
    assert {one.subject for one in brought.values()} == {BY}
    assert brought["role-changed"].object == f"lamps-{TOWN}"
    assert brought["role-changed"].facts["grants"][0]["actions"] == ["read", "command"]
    assert brought["privacy-class-changed"].object == "Garden.owner"
    assert brought["purpose-declared"].object == GARDENS.id
    assert ("retention-switched-on" in brought) is POLICY.executes


async def test_where_numbers_are_taken_instances_get_others_and_nobody_elses_past_changes(
    town: Settings, tmp_path: Path
) -> None:
    """Events of the other tenant find their rows by number."""
    await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    there.data_dir.mkdir()

    async def write(store: Store) -> None:
        await store.write("default", [bin_(number, level(number)) for number in range(40)])

    await opened(there, write)
    brought = await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY)

    async def read(store: Store) -> tuple[list[float], list[int]]:
        events = await store.read(0)
        past = await store.history(TOWN, bin_id(1), TemporalQuery())
        assert past is not None
        await store.write(TOWN, [bin_(1, level(5))])
        fresh = await store.history(TOWN, bin_id(1), TemporalQuery())
        assert fresh is not None
        numbers = [one.seq for one in fresh.instances[LEVEL, ""]]
        return [one.value for event in events for one in event.instances], numbers

    values, numbers = await opened(there, read)
    assert values == list(range(40))
    assert len(set(numbers)) == len(numbers) == 6
    assert min(numbers) > 40
    assert any("instanceIds" in words for words in brought.words)


async def test_what_was_brought_can_be_archived_there(town: Settings, tmp_path: Path) -> None:
    await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    wanted = await everything(town)
    await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY)

    async def archive(store: Store) -> int:
        return (await run_archive(there, store, lambda _part, _words: None)).rows

    assert await opened(there, archive) > 0
    assert await everything(there) == wanted
    assert (await exported(there, tmp_path / "again")).content == manifest_at(tmp_path / "bundle").content


async def test_a_tenant_that_is_not_empty_is_left_alone_unless_that_is_wished(town: Settings, tmp_path: Path) -> None:
    await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    there.data_dir.mkdir()

    async def write(store: Store) -> None:
        await store.add_tenant(TOWN)
        await store.write(TOWN, [bin_(1, level(77))])

    await opened(there, write)
    with pytest.raises(TenantNotEmpty):
        await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY)
    brought = await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY, is_added=True)

    found = await everything(there)
    assert [one.value for one in found["entities"][bin_id(1)].instances] == [77]
    assert bin_id(2) in found["entities"]
    assert any("1 objects were here before" in words for words in brought.words)


async def test_a_dry_run_reads_all_and_leaves_nothing(town: Settings, tmp_path: Path) -> None:
    manifest = await exported(town, tmp_path / "bundle.zip")
    there = settings_in(tmp_path / "there")

    brought = await asyncio.to_thread(import_bundle, there, tmp_path / "bundle.zip", TOWN, BY, is_dry=True)

    assert brought.counts["history"] == manifest.counts["history"]
    assert list(there.data_dir.iterdir()) == []


async def test_nobody_is_notified_before_subscriptions_are_switched_on(town: Settings, tmp_path: Path) -> None:
    await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY, are_subscriptions_paused=True)

    [subscription] = (await everything(there))["subscriptions"]
    assert not subscription.is_active


async def test_nobody_is_told_of_what_is_past(town: Settings, tmp_path: Path) -> None:
    await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY)

    async def read(store: Store) -> list[object]:
        return list(await store.read(0))

    assert await opened(there, read) == []


async def test_there_is_nothing_to_export_of_a_tenant_that_is_none(town: Settings, tmp_path: Path) -> None:
    with pytest.raises(NonexistentTenant):
        await asyncio.to_thread(export_tenant, town, "nobody", tmp_path / "bundle.zip", BY)
    assert not any(tmp_path.glob("bundle*"))  # noqa: ASYNC240


async def test_profiles_come_along_but_not_those_of_others_and_nobody_vouches_for_them_there(
    town: Settings, tmp_path: Path
) -> None:
    for owner, name in ((TOWN, "ours"), ("village", "theirs")):
        folder = town.data_dir / f"profiles/{name}"
        shutil.copytree(PACKAGED_PROFILES / "generic-climate", folder)
        text = (folder / "profile.toml").read_text().replace("generic-climate", name, 1)
        (folder / "profile.toml").write_text(for_tenant(text, owner))
    shutil.copytree(town.data_dir / "profiles/theirs", town.data_dir / "members/village/profiles/theirs")
    manifest = await exported(town, tmp_path / "bundle")
    there = settings_in(tmp_path / "there")
    await asyncio.to_thread(import_bundle, there, tmp_path / "bundle", TOWN, BY)

    brought = sorted(path.name for path in (there.data_dir / f"members/{TOWN}/profiles").iterdir())
    assert brought == ["ours", "own-probe"]
    for name in brought:
        text = (there.data_dir / f"members/{TOWN}/profiles/{name}/profile.toml").read_text()
        assert tomllib.loads(text)["profile"]["tenant"] == TOWN
    assert (await exported(there, tmp_path / "again")).content == manifest.content


async def test_what_was_set_up_already_stays_where_a_bundle_comes_beside(town: Settings, tmp_path: Path) -> None:
    await exported(town, tmp_path / "bundle")

    brought = await asyncio.to_thread(import_bundle, town, tmp_path / "bundle", TOWN, BY, is_added=True)

    assert brought.counts["entities"] == 0
    assert len((await everything(town))["subscriptions"]) == 1

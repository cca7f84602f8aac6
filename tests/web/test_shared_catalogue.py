"""The pool's device profiles are every member's, until it has a copy of its own."""

from pathlib import Path

import httpx
import msgspec
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.members.model import Member
from parvis.bootstrap import Platform, open_platform
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.fleet import PROFILES_FOLDER
from parvis.fleet.profiles.bench import CodecBench
from parvis.fleet.profiles.own import OwnProfiles
from parvis.kernel.catalogue import Source
from parvis.kernel.errors import AlreadyExists, Forbidden, ResourceNotFound
from parvis.kernel.identity import ADMINISTRATOR, OPERATOR, Caller
from tests.web.conftest import form_token, plain, settings
from tests.web.test_members import signed_in

CLIMATE = "generic-climate"
MAYOR = Caller("plouhinec", "user:mairie", ADMINISTRATOR)
POOL = Caller("default", "user:syndicate", ADMINISTRATOR)
SENSOR = "a840410000000077"
PACKAGED = {1.0, 0.01}
BENCH = f"/console/codecs/{CLIMATE}"


@pytest.fixture
async def pooled(platform: Platform) -> Platform:
    for name in ("plouhinec", "riantec"):
        platform.access.members.add(COMMAND_LINE, Member(tenant=name, title=name.title(), since=0))
        await platform.broker.add_tenant(name)
    record = DeviceRecord(hardware_id=SENSOR, profile=CLIMATE, entity_id="urn:ngsi-ld:IndoorEnvironmentObserved:1")
    await platform.fleet.registry.register(MAYOR, [record])
    return platform


def own_of(platform: Platform) -> OwnProfiles:
    own = platform.fleet.own_profiles
    assert own is not None
    return own


def scales(platform: Platform, tenant: str) -> set[float]:
    return {rule.scale for rule in platform.fleet.registry.profiles_of(tenant)[CLIMATE].rules}


def rescale(platform: Platform, caller: Caller, scale: float) -> None:
    fleet, expand = platform.fleet, platform.broker.contexts.parvis.expand
    profiles = fleet.registry.profiles_of(caller.tenant)
    folder = platform.settings.data_dir / PROFILES_FOLDER
    if caller.tenant != "default":
        folder = own_of(platform).folder_of(caller.tenant)
    bench = CodecBench(profiles, folder, expand, may_change=lambda _: True)
    rules = [msgspec.structs.replace(one, scale=scale) for one in profiles[CLIMATE].rules]
    bench.keep_rules(caller, CLIMATE, rules)


async def test_what_the_pool_changes_reaches_members_at_once_but_for_copies(pooled: Platform) -> None:
    own_of(pooled).copy(MAYOR, CLIMATE)
    rescale(pooled, MAYOR, 2.0)
    assert (scales(pooled, "plouhinec"), scales(pooled, "riantec")) == ({2.0}, PACKAGED)

    rescale(pooled, POOL, 3.0)

    assert (scales(pooled, "plouhinec"), scales(pooled, "riantec"), scales(pooled, "default")) == ({2.0}, {3.0}, {3.0})


async def test_the_members_devices_follow_its_copy_and_back(pooled: Platform) -> None:
    registry = pooled.fleet.registry
    shared = registry.get("plouhinec", SENSOR).profile
    assert registry.catalogue.source("plouhinec", CLIMATE) is Source.POOL
    own_of(pooled).copy(MAYOR, CLIMATE)
    await registry.bind_again("plouhinec")

    copied = registry.get("plouhinec", SENSOR).profile
    assert (copied is shared, copied.header.tenant) == (False, "plouhinec")
    with pytest.raises(AlreadyExists):
        own_of(pooled).copy(MAYOR, CLIMATE)

    own_of(pooled).give_back(MAYOR, CLIMATE)
    await registry.bind_again("plouhinec")
    assert registry.get("plouhinec", SENSOR).profile is shared
    with pytest.raises(ResourceNotFound):
        own_of(pooled).give_back(MAYOR, CLIMATE)


async def test_a_copy_is_there_after_a_start(tmp_path: Path) -> None:
    async with open_platform(settings(tmp_path, auth=True), listen=False) as first:
        own_of(first).copy(MAYOR, CLIMATE)
        rescale(first, MAYOR, 2.0)
    async with open_platform(settings(tmp_path, auth=True), listen=False) as second:
        assert (scales(second, "plouhinec"), scales(second, "riantec")) == ({2.0}, PACKAGED)


async def test_only_a_members_administrators_copy(pooled: Platform) -> None:
    for caller in (POOL, Caller("plouhinec", "user:clerk", OPERATOR)):
        with pytest.raises(Forbidden):
            own_of(pooled).copy(caller, CLIMATE)


async def test_the_console_says_whose_each_profile_is(pooled: Platform, operator: httpx.AsyncClient) -> None:
    mayor = await signed_in(pooled, "mairie", "plouhinec")
    page = await mayor.get(BENCH)
    assert "This is the profile of Trevalan" in plain(page.text)
    assert 'href="/console/people"' in page.text, "who may not change this profile administers the rest"
    fields = {"form_token": form_token(page.text), "payload": "", "format": "hex", "f_port": "1"}
    assert (await mayor.post(BENCH, data={**fields, "do": "rules"})).status_code in (400, 403)

    copied = await mayor.post(BENCH, data={**fields, "do": "copy"})

    assert copied.headers["location"] == f"{BENCH}?done=copy"
    assert "This is a copy of your own" in plain((await mayor.get(f"{BENCH}?done=copy")).text)
    assert "own copy" in plain((await mayor.get("/console/codecs")).text)
    assert "own copy" not in plain((await operator.get("/console/codecs")).text)
    back = await mayor.post(BENCH, data={**fields, "do": "give_back"})
    assert back.status_code == 303
    assert "own copy" not in plain((await mayor.get("/console/codecs")).text)

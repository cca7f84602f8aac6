"""A member's own copies of the pool's device profiles: made, changed, given back."""

from parvis.fleet.fleet import PROFILES_FOLDER
from parvis.fleet.profiles.bench import CodecBench, may_change_profiles
from parvis.fleet.profiles.own import may_copy
from parvis.fleet.profiles.profile import DeviceProfile
from parvis.kernel.catalogue import Source
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.web.site import Site


def bench_for(site: Site, caller: Caller) -> CodecBench:
    """Where a tenant has no copy, what is tried is the pool's, which the pool alone changes."""
    fleet, expand = site.platform.fleet, site.platform.broker.contexts.parvis.expand
    folder = site.platform.settings.data_dir / PROFILES_FOLDER
    if caller.tenant != DEFAULT_TENANT and fleet.own_profiles is not None:
        folder = fleet.own_profiles.folder_of(caller.tenant)
        return CodecBench(fleet.registry.profiles_of(caller.tenant), folder, expand, site.clock, may_copy)
    return CodecBench(fleet.registry.profiles, folder, expand, site.clock)


def may_change(site: Site, caller: Caller, profile_id: str) -> bool:
    if caller.tenant == DEFAULT_TENANT:
        return may_change_profiles(caller)
    return may_copy(caller) and is_copy(site, caller, profile_id)


def is_copy(site: Site, caller: Caller, profile_id: str) -> bool:
    return site.platform.fleet.registry.catalogue.source(caller.tenant, profile_id) is Source.COPY


async def take_over(site: Site, caller: Caller, profile: DeviceProfile, what: str) -> None:
    """A copy of the pool's for the caller's tenant, or back to the pool's. Raises Forbidden."""
    fleet = site.platform.fleet
    if fleet.own_profiles is None:
        raise ResourceNotFound("There is no such profile.")
    if what == "copy":
        fleet.own_profiles.copy(caller, profile.id)
    else:
        fleet.own_profiles.give_back(caller, profile.id)
    await fleet.registry.bind_again(caller.tenant)
    fleet.note(caller, "profile-copied" if what == "copy" else "profile-given-back", profile.id)

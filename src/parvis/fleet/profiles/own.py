"""Device profiles that a member has copied from the pool, to have them its own way: folders below the data directory.

They are read after the pool's; their codecs are a tenant's, which the operator does not vouch for: they run apart where
the setting says so.
"""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import TemporaryDirectory

from parvis.broker.model.entity import Iri
from parvis.fleet.profiles.profile import (
    PROFILE_FILE,
    DeviceProfile,
    InvalidProfile,
    WhereCodecsRun,
    check_own_examples,
    get_profile,
    load_profile,
)
from parvis.fleet.profiles.text import for_tenant
from parvis.kernel.catalogue import Catalogue, Source
from parvis.kernel.errors import AlreadyExists, Forbidden, ResourceNotFound
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right

MEMBERS_FOLDER = "members"


class OwnProfiles:
    def __init__(
        self,
        catalogue: Catalogue[DeviceProfile],
        data_dir: Path,
        expand: Callable[[str], Iri],
        where: WhereCodecsRun,
    ) -> None:
        self._catalogue = catalogue
        self._root = data_dir / MEMBERS_FOLDER
        self._expand = expand
        self._where = where

    def folder_of(self, tenant: str) -> Path:
        return self._root / tenant / "profiles"

    def load(self) -> None:
        """Raises InvalidProfile."""
        for path in sorted(self._root.glob(f"*/profiles/*/{PROFILE_FILE}")):
            tenant, profile = path.parents[2].name, load_profile(path.parent, self._expand, self._where)
            if faults := check_own_examples(profile):
                raise InvalidProfile(f"{path}: {'; '.join(faults)}")
            self._catalogue.put(tenant, profile.id, profile)

    def copy(self, caller: Caller, profile_id: str) -> None:
        """From now on the caller's tenant has its own. Raises Forbidden, ResourceNotFound or AlreadyExists."""
        _check(caller)
        shared = get_profile(self._catalogue.of(caller.tenant), profile_id)
        if self._catalogue.source(caller.tenant, profile_id) is not Source.POOL:
            raise AlreadyExists(f"There is a copy of {profile_id} already.")
        folder = self.folder_of(caller.tenant)
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=".profiles-") as beside:
            made = Path(beside) / profile_id
            copytree(shared.folder, made)
            path = made / PROFILE_FILE
            path.write_text(for_tenant(path.read_text(encoding="utf-8"), caller.tenant), encoding="utf-8")
            load_profile(made, self._expand, self._where)
            made.rename(folder / profile_id)
        own = load_profile(folder / profile_id, self._expand, self._where)
        self._catalogue.put(caller.tenant, profile_id, own)

    def give_back(self, caller: Caller, profile_id: str) -> None:
        """Back to the pool's. Raises Forbidden or ResourceNotFound."""
        _check(caller)
        if self._catalogue.source(caller.tenant, profile_id) is not Source.COPY:
            raise ResourceNotFound(f"There is no copy of {profile_id}.")
        self._catalogue.drop(caller.tenant, profile_id)
        rmtree(self.folder_of(caller.tenant) / profile_id, ignore_errors=True)


def may_copy(caller: Caller) -> bool:
    """The pool's own it changes itself."""
    return caller.may(Right.ADMINISTER) and caller.tenant != DEFAULT_TENANT


def _check(caller: Caller) -> None:
    if not may_copy(caller):
        raise Forbidden(f"{caller.subject} may not change device profiles.")

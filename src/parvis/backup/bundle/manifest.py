"""What a bundle holds, and what may be in one."""

import hashlib
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from parvis.kernel.errors import PARVIS_ERRORS, ParvisError

FORMAT: Final = "parvis-bundle"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
README: Final = "README.md"
ENTITIES: Final = "entities.ndjson"
GONE: Final = "deleted-entities.ndjson"
FORGOTTEN: Final = "erased-pasts.ndjson"
SUBSCRIPTIONS: Final = "subscriptions.ndjson"
REGISTRATIONS: Final = "registrations.ndjson"
SOURCE_SUBSCRIPTIONS: Final = "registration-subscriptions.ndjson"
CONTEXTS: Final = "contexts.ndjson"
CONFIGURATION: Final = "configuration.toml"
PEOPLE: Final = "people.ndjson"
KEYS: Final = "keys.ndjson"
AUDIT: Final = "audit.ndjson"
ROLES: Final = "roles.ndjson"
CLASSES: Final = "privacy-classes.ndjson"
PURPOSES: Final = "purposes.ndjson"
POLICY: Final = "privacy-policy.ndjson"
LEDGER: Final = "privacy-ledger.ndjson"
MEMBER: Final = "member.ndjson"
MANDATES: Final = "mandates.ndjson"
ASSIGNMENTS: Final = "assignments.ndjson"
TOLD_ONLY: Final = frozenset({README, CONFIGURATION, PEOPLE, KEYS, AUDIT, MANDATES, ASSIGNMENTS})
"""What an import does not bring back: it is there to be read. It may differ between two exports of the same data."""
APART: Final = TOLD_ONLY | {MEMBER}
"""What is no part of `content`: of a member, that it is one is brought to a pool only."""
_PATH: Final = re.compile(
    r"README\.md|SHA256SUMS|(?:[a-z]+(?:-[a-z]+)*)\.ndjson|configuration\.toml"
    r"|history/[0-9]{4}-[0-9]{2}-[0-9]{2}\.parquet"
    r"|profiles/[A-Za-z0-9][A-Za-z0-9._-]{0,99}/(?:[A-Za-z0-9][A-Za-z0-9._-]{0,99}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
)
LARGEST_MANIFEST_BYTES: Final = 32 << 20
MOST_FILES: Final = 200_000


class BundleUnusable(ParvisError):
    """It was changed, broke off, is none, or is not trusted: nothing of it was taken."""

    type_uri = PARVIS_ERRORS + "bundle-unusable"
    title = "The bundle cannot be used"
    status = 409


class BundleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`rows` are lines, or rows of a table; 0 of other files."""

    path: str
    bytes: int
    sha256: str
    rows: int = 0


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`content` is of all files that an import brings back: the same data has the same, whenever it is exported.
    `first_number` and `last_number` are those of the instances of the past. `left_out` says what is not in it.
    """

    format: str
    version: int
    tenant: str
    made_at: str
    made_by: str
    content: str
    files: tuple[BundleFile, ...]
    counts: dict[str, int]
    first_number: int = 0
    last_number: int = 0
    left_out: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.files)

    def find(self, path: str) -> BundleFile | None:
        return next((one for one in self.files if one.path == path), None)

    def list_below(self, folder: str) -> list[BundleFile]:
        return [one for one in self.files if one.path.startswith(f"{folder}/")]


_DECODER = msgspec.json.Decoder(Manifest)


def content_of(files: Iterable[BundleFile]) -> str:
    """The SHA-256 of the lines `HASH  PATH` of the files that are brought back, as `sha256sum` writes them."""
    brought = sorted((one.path, one.sha256) for one in files if one.path not in APART)
    return hashlib.sha256("".join(f"{digest}  {path}\n" for path, digest in brought).encode()).hexdigest()


def is_allowed(path: str) -> bool:
    """Only what a bundle is made of: no path that leads out of it, nothing that nobody asked for."""
    return _PATH.fullmatch(path) is not None and ".." not in path


def read_manifest(content: bytes) -> Manifest:
    """Raises BundleUnusable."""
    try:
        manifest = _DECODER.decode(content)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise BundleUnusable(f"{MANIFEST} cannot be read: {fault}.") from fault
    if manifest.format != FORMAT:
        raise BundleUnusable(f"{MANIFEST} is not that of a bundle of Parvis.")
    if manifest.version > VERSION:
        raise BundleUnusable("The bundle was written by a newer Parvis: install that first.")
    _check_files(manifest)
    return manifest


def _check_files(manifest: Manifest) -> None:
    paths = [one.path for one in manifest.files]
    if len(paths) > MOST_FILES:
        raise BundleUnusable(f"The bundle has {len(paths)} files: more than {MOST_FILES} are none of Parvis's.")
    if len(set(paths)) != len(paths):
        raise BundleUnusable(f"{MANIFEST} names a file twice.")
    for one in manifest.files:
        if not is_allowed(one.path):
            raise BundleUnusable(f"{one.path[:120]!r} has no place in a bundle.")
        if one.bytes < 0 or one.rows < 0:
            raise BundleUnusable(f"{one.path} cannot have that size.")
    if content_of(manifest.files) != manifest.content:
        raise BundleUnusable(f"{MANIFEST} contradicts itself: its files do not make its content.")

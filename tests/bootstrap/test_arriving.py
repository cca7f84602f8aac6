"""A bundle may come from anybody: what is wrong with it is said, and nothing of it is taken."""

import asyncio
import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from parvis.backup.bundle.manifest import BundleFile, BundleUnusable, content_of, is_allowed, read_manifest
from parvis.backup.bundle.reading import opened_bundle
from parvis.bootstrap.arriving import import_bundle
from parvis.bootstrap.leaving import export_tenant
from parvis.bootstrap.stores import DataInUse, holding
from parvis.kernel.errors import BadRequestData, ParvisError
from parvis.kernel.settings import Settings
from tests.bootstrap.test_leaving import BY, TOWN, everything, fill
from tests.contract.territory import bin_id
from tests.fakes.places import settings_in

Wound = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    settings = settings_in(folder / "town")
    asyncio.run(fill(settings))
    export_tenant(settings, TOWN, folder / "bundle", BY)
    return folder / "bundle"


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "bundle"
    for place in whole.rglob("*"):
        if place.is_file():
            target = copy / place.relative_to(whole)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(place.read_bytes())
    return copy


def bring(path: Path, **how: Any) -> Settings:
    there = settings_in(path.parent / "there")
    import_bundle(there, path, TOWN, BY, **how)
    return there


def sealed(bundle: Path, **changed: Any) -> None:
    """As whoever made it would: the manifest fits what is there."""
    manifest = read_manifest((bundle / "manifest.json").read_bytes())
    files = tuple(
        BundleFile(one.path, len(content), hashlib.sha256(content).hexdigest(), one.rows)
        for one in manifest.files
        if (bundle / one.path).exists()
        for content in [(bundle / one.path).read_bytes()]
    )
    told = msgspec.structs.replace(manifest, files=files, content=content_of(files), **changed)
    (bundle / "manifest.json").write_bytes(msgspec.json.encode(told))


def rewritten(bundle: Path, path: str, change: Callable[[list[dict[str, Any]]], object]) -> None:
    place = bundle / path
    lines = [msgspec.json.decode(line) for line in place.read_bytes().splitlines()]
    lines = change(lines) or lines  # type: ignore[assignment]
    place.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    sealed(bundle)


def a_day(bundle: Path) -> Path:
    return min((bundle / "history").iterdir())


def rewrite_day(bundle: Path, select: str) -> None:
    day = a_day(bundle)
    other = day.with_name("other")
    duckdb.sql(f"COPY ({select.format(day=day)}) TO '{other}' (FORMAT parquet)")
    other.replace(day)
    sealed(bundle)


def append(bundle: Path, path: str, content: bytes) -> None:
    (bundle / path).write_bytes((bundle / path).read_bytes() + content)
    sealed(bundle)


def linked(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


WOUNDS: dict[str, tuple[Wound, str]] = {
    "a byte was changed": (lambda b: (b / "entities.ndjson").write_bytes(b"x"), "has .* bytes, and not"),
    "other content of the same size": (
        lambda b: (b / "contexts.ndjson").write_bytes((b / "contexts.ndjson").read_bytes()[::-1]),
        "is not what manifest.json says",
    ),
    "a file is missing": (lambda b: a_day(b).unlink(), "is missing"),
    "a file too many": (lambda b: (b / "history/2001-01-01.parquet").write_bytes(b""), "does not know"),
    "a file with no place": (lambda b: (b / "run.sh").write_bytes(b"rm"), "has no place in a bundle"),
    "a link": (lambda b: linked(b / "people.ndjson"), "no plain"),
    "no manifest": (lambda b: (b / "manifest.json").unlink(), "no bundle of Parvis"),
    "a manifest that is none": (lambda b: (b / "manifest.json").write_bytes(b"[" * 10**6), "cannot be read"),
    "a newer format": (lambda b: sealed(b, version=2), "newer Parvis"),
    "something else's manifest": (lambda b: sealed(b, format="tar"), "is not that of a bundle"),
    "wrong counts of rows": (lambda b: rewrite_day(b, "FROM '{day}' LIMIT 1"), "other rows than the manifest says"),
    "other columns": (lambda b: rewrite_day(b, "SELECT 1 AS one FROM '{day}'"), "other columns"),
    "no Parquet": (lambda b: append(b, a_day(b).relative_to(b).as_posix(), b"more"), "no Parquet file"),
    "times of another day": (
        lambda b: rewrite_day(b, "SELECT * REPLACE (time + INTERVAL 9 DAY AS time) FROM '{day}'"),
        "is not of a bundle",
    ),
    "rows without an entity": (
        lambda b: rewrite_day(b, "SELECT * REPLACE (NULL::VARCHAR AS entity) FROM '{day}'"),
        "must be a URI",
    ),
    "a kind that is none": (lambda b: rewrite_day(b, "SELECT * REPLACE (99::TINYINT AS kind) FROM '{day}'"), "range"),
    "values that do not fit their kind": (
        lambda b: rewrite_day(b, "SELECT * REPLACE (2::TINYINT AS kind) FROM '{day}'"),
        "The past of",
    ),
    "a number that is none": (
        lambda b: rewrite_day(b, "SELECT * REPLACE ('nan'::DOUBLE AS number, false AS whole) FROM '{day}'"),
        "a number is none",
    ),
    "a past of nobody": (
        lambda b: rewrite_day(b, "SELECT * REPLACE ('urn:ngsi-ld:Bin:none' AS entity) FROM '{day}'"),
        "of which the bundle tells nothing else",
    ),
    "numbers without an end": (lambda b: sealed(b, last_number=2**62), "not those that the manifest says"),
    "no JSON": (lambda b: append(b, "entities.ndjson", b"{\n"), "entities.ndjson, line 3"),
    "the same object twice": (
        lambda b: rewritten(b, "entities.ndjson", lambda lines: [*lines, lines[0]]),
        "tells of an object twice",
    ),
    "an id that is no URI": (
        lambda b: rewritten(b, "entities.ndjson", lambda lines: lines[0].update(id="../../x")),
        "must be a URI",
    ),
    "a geometry that is none": (
        lambda b: rewritten(
            b, "entities.ndjson", lambda lines: lines[0].update({"https://x.org/at": _geometry([500, "x"])})
        ),
        "entities.ndjson, line 1",
    ),
    "a time of no calendar": (
        lambda b: rewritten(b, "entities.ndjson", lambda lines: lines[0].update(createdAt="never")),
        "entities.ndjson, line 1",
    ),
    "a subscription of another id": (
        lambda b: rewritten(b, "subscriptions.ndjson", lambda lines: lines[0].update(id="urn:ngsi-ld:Subscription:9")),
        "subscriptions.ndjson, line 1",
    ),
    "a role that is kept for the platform": (
        lambda b: rewritten(b, "roles.ndjson", lambda lines: lines[0].update(name="administrator")),
        "roles.ndjson, line 1",
    ),
    "a role of rights that are none": (
        lambda b: rewritten(b, "roles.ndjson", lambda lines: lines[0].update(grants=[{"actions": ["everything"]}])),
        "roles.ndjson, line 1",
    ),
    "a purpose without an end": (
        lambda b: rewritten(b, "purposes.ndjson", lambda lines: lines[0]["covers"][0].update(keep="long")),
        "purposes.ndjson, line 1",
    ),
    "a ledger of no time": (
        lambda b: rewritten(b, "privacy-ledger.ndjson", lambda lines: lines[0].update(at="never")),
        "privacy-ledger.ndjson, line 1",
    ),
    "an outline that is none": (
        lambda b: rewritten(b, "member.ndjson", lambda lines: lines[0].update(outline="round")),
        "member.ndjson, line 1",
    ),
    "a context that was fetched": (
        lambda b: rewritten(b, "contexts.ndjson", lambda lines: lines[0].update(kind="Cached")),
        "contexts.ndjson, line 1",
    ),
}


def _geometry(coordinates: list[object]) -> dict[str, object]:
    at = "2026-01-01T00:00:00Z"
    value = {"type": "Point", "coordinates": coordinates}
    return {"type": "GeoProperty", "value": value, "createdAt": at, "modifiedAt": at}


@pytest.mark.parametrize("wound", list(WOUNDS))
def test_what_is_wrong_is_refused_with_a_reason_and_nothing_stays(bundle: Path, wound: str) -> None:
    inflict, reason = WOUNDS[wound]
    inflict(bundle)

    with pytest.raises(ParvisError, match=reason):
        bring(bundle)

    found = asyncio.run(everything(settings_in(bundle.parent / "there")))
    assert not found["entities"]
    assert not found["subscriptions"]
    assert not found["roles"]
    assert not found["member"]
    assert not any(found["past"].values())
    assert not (bundle.parent / "there/members").exists()


def test_after_a_refusal_the_sound_one_is_taken(bundle: Path, whole: Path) -> None:
    rewrite_day(bundle, "SELECT * REPLACE ('urn:ngsi-ld:Bin:none' AS entity) FROM '{day}'")
    with pytest.raises(BundleUnusable):
        bring(bundle)

    import_bundle(settings_in(bundle.parent / "there"), whole, TOWN, BY)

    assert bin_id(1) in asyncio.run(everything(settings_in(bundle.parent / "there")))["entities"]


def zipped(folder: Path, *, at: str = "bundle.zip") -> Path:
    path = folder.parent / at
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for place in sorted(folder.rglob("*")):
            if place.is_file():
                file.write(place, place.relative_to(folder).as_posix())
    return path


def test_any_zip_of_the_folder_is_taken(bundle: Path) -> None:
    there = bring(zipped(bundle))
    assert bin_id(1) in asyncio.run(everything(there))["entities"]


def test_a_zip_that_broke_off_is_refused(bundle: Path) -> None:
    path = zipped(bundle)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BundleUnusable, match="no ZIP file"):
        bring(path)


def test_a_bomb_is_refused_before_it_is_unpacked(bundle: Path) -> None:
    (bundle / "entities.ndjson").write_bytes(b" " * (40 << 20))
    sealed(bundle)
    with pytest.raises(BundleUnusable, match="squeezed more than"):
        bring(zipped(bundle))


def test_a_line_without_an_end_is_refused(bundle: Path) -> None:
    (bundle / "entities.ndjson").write_bytes(os.urandom(17 << 20).hex().encode())
    sealed(bundle)
    with pytest.raises(BundleUnusable, match="A line of entities"):
        bring(bundle)


@pytest.mark.parametrize("name", ["../escaped", "/etc/cron.d/x", "history/../../x.parquet", "profiles/a/..\\x", "a/b"])
def test_paths_that_lead_out_are_refused(bundle: Path, name: str) -> None:
    path = zipped(bundle)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(name, "x")
    with pytest.raises(BundleUnusable, match="has no place in a bundle"):
        bring(path)
    assert not (bundle.parent / "escaped").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(bundle: Path) -> None:
    path = zipped(bundle)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("entities.ndjson", "x")
    with pytest.raises(BundleUnusable, match="is there twice"):
        bring(path)


@given(st.text(max_size=60) | st.from_regex(r"(profiles|history)/[^/]*(/[^/]*){0,3}", fullmatch=True))
def test_no_allowed_path_leads_out(path: str) -> None:
    if is_allowed(path):
        parts = path.split("/")
        assert not {"..", "", "."} & set(parts)
        assert all(part.isprintable() and "\\" not in part for part in parts)


@given(st.data())
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_byte_anywhere_is_noticed(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = zipped(whole, at="whole.zip")
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    hurt = tmp_path / "hurt.zip"
    hurt.write_bytes(content)

    try:
        with opened_bundle(hurt) as read:
            read.verify()
            told = {one.path: b"".join(read.pieces(one)) for one in read.manifest.files}
    except BundleUnusable:
        return
    assert told == {one: (whole / one).read_bytes() for one in told}


def test_a_running_platform_is_not_written_under(bundle: Path) -> None:
    there = settings_in(bundle.parent / "there")
    there.data_dir.mkdir()
    with holding(there), pytest.raises(DataInUse):
        bring(bundle)


def test_a_tenant_has_a_name(bundle: Path) -> None:
    with pytest.raises(BadRequestData):
        import_bundle(settings_in(bundle.parent / "there"), bundle, "../x", BY)


def test_profiles_that_are_there_stay(bundle: Path) -> None:
    own = bundle.parent / f"there/members/{TOWN}/profiles/own-probe/profile.toml"
    own.parent.mkdir(parents=True)
    own.write_text("# theirs\n")
    bring(bundle)
    assert own.read_text() == "# theirs\n"


def test_a_profile_on_which_the_platform_would_not_start_is_left_out(bundle: Path) -> None:
    (bundle / "profiles/own-probe/profile.toml").write_text("# nothing")
    sealed(bundle)
    there = settings_in(bundle.parent / "there")

    brought = import_bundle(there, bundle, TOWN, BY)

    assert any("own-probe cannot be used" in words for words in brought.words)
    assert not (there.data_dir / "members").exists()

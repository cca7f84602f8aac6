"""Every way in which a file or a large body comes in: bounded while it comes, looked into, never served as a page."""

import gzip
import inspect
import io
import sys
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import openpyxl
import pytest
from starlette.routing import Mount, Route

from parvis.bootstrap import Platform, open_platform
from parvis.connectors.files.codec import open_table
from parvis.connectors.files.config import InvalidMapping, Source
from parvis.connectors.files.contents import check_contents
from parvis.web.app import ROUTES, create_app
from parvis.web.assets import STATIC
from tests.web.conftest import client_of, form_token, settings

TAKING_FILES = {
    "/console/imports",
    "/console/imports/upload",
    "/console/devices/import",
    "/console/first-run/territory",
    "/console/first-run/ground",
    "/console/members/new",
}
TAKING_BODIES = {
    "/console/dashboards/preview",
    "/api/connectors/{connector}",
    "/api/connectors/{connector}/{path:path}",
    "/api/federation/notified/{token}",
    "/api/devices/import",
    "/api/devices/import/check",
}
LIMIT_BYTES = 100_000
PARQUET, WORKBOOK = b"PAR1" + b"\0" * 40, b"PK\x03\x04" + b"\0" * 40


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    given = settings(tmp_path, auth=True)
    given = replace(given, server=replace(given.server, body_limit_bytes=LIMIT_BYTES))
    async with open_platform(given, listen=False) as platform:
        yield platform


def test_the_routes_that_take_files_are_the_ones_below(platform: Platform) -> None:
    """A new one is added here, and to what is asked of all of them."""
    modules = {route.endpoint.__module__ for route in ROUTES if "POST" in (route.methods or ())}
    with_files = {name for name in modules if "UploadFile" in vars(sys.modules[name])}
    known = {route.path: route.endpoint.__module__ for route in ROUTES}
    assert with_files == {known[path] for path in TAKING_FILES}


def test_the_routes_that_read_a_whole_body_are_the_ones_below(platform: Platform) -> None:
    (mount,) = [one for one in create_app(platform).routes if isinstance(one, Mount)]  # type: ignore[attr-defined]
    below = [(f"{mount.path}{one.path}", one) for one in mount.routes if isinstance(one, Route)]
    routes = [*((one.path, one) for one in ROUTES), *below]
    reading = {path for path, route in routes if "request.body()" in inspect.getsource(route.endpoint)}
    assert reading <= TAKING_BODIES, reading - TAKING_BODIES


async def _chunked(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1000):
        yield b"x" * 1000


@pytest.mark.parametrize("path", sorted(TAKING_FILES | {"/console/dashboards/preview", "/ngsi-ld/v1/entities"}))
async def test_a_stranger_cannot_send_more_than_any_request_may_have(platform: Platform, path: str) -> None:
    """Not where those who may write can send gigabytes, and not by saying nothing of the length."""
    async with client_of(platform) as stranger:
        said = await stranger.post(path, content=b"x" * (LIMIT_BYTES + 1))
        unsaid = await stranger.post(path, content=_chunked(2 * LIMIT_BYTES))
    assert said.status_code == 413
    assert unsaid.status_code in (401, 403, 413)


async def test_who_may_write_sends_more_where_it_goes_to_disk(operator: httpx.AsyncClient) -> None:
    page = await operator.get("/console/imports")
    rows = b"id;level\n" + b"1;2\n" * LIMIT_BYTES
    answer = await operator.post(
        "/console/imports/upload",
        params={"name": "levels.csv"},
        content=rows,
        headers={"x-form-token": form_token(page.text)},
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("table.csv", b"\x7fELF\x02\x01\x01" + b"\0" * 60),
        ("table.csv", b"MZ\x90\0"),
        ("table.csv", b"<!DOCTYPE html><script>alert(1)</script>"),
        ("table.csv", b"\xef\xbb\xbf  <HTML><body>"),
        ("table.txt", b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"),
        ("places.geojson", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("table.csv", b"a;b\0;c\n"),
        ("table.csv", WORKBOOK),
        ("table.csv.gz", b"a;b\n1;2\n"),
        ("table.xlsx", b"a;b\n1;2\n"),
        ("table.parquet", WORKBOOK),
        ("map.gpkg", b"SQLite format 2"),
        ("map.zip", PARQUET),
        ("map.shp", b"\0\0\0\0"),
    ],
)
async def test_what_a_file_holds_counts_not_its_name(
    operator: httpx.AsyncClient, platform: Platform, name: str, content: bytes
) -> None:
    token = form_token((await operator.get("/console/imports")).text)
    by_script = await operator.post(
        "/console/imports/upload", params={"name": name}, content=content, headers={"x-form-token": token}
    )
    by_form = await operator.post("/console/imports", data={"form_token": token}, files={"file": (name, content)})
    assert (by_script.status_code, by_form.status_code) == (400, 400)
    assert by_script.json() == {"refused": f"{name} does not hold what its name says."}
    assert not list(platform.settings.data_dir.rglob(name)), "nothing of it stays"


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.csv", b"id;name\n1;P\xc3\xa9rier\n"),
        ("a.csv", "id;name\n".encode("utf-16")),
        ("a.csv", b""),
        ("a.csv", "<5 µg/m³;2\n".encode()),
        ("a.csv.gz", gzip.compress(b"id\n1\n")),
        ("a.XLSX", WORKBOOK),
        ("a.geoparquet", PARQUET),
        ("a.json", b'\xef\xbb\xbf{"type": "FeatureCollection"}'),
        ("a.gpkg", b"SQLite format 3\0"),
    ],
)
def test_what_fits_its_name_is_taken(name: str, head: bytes) -> None:
    check_contents(name, head)


async def test_what_came_in_lies_outside_of_what_is_served(operator: httpx.AsyncClient, platform: Platform) -> None:
    token = form_token((await operator.get("/console/imports")).text)
    answer = await operator.post(
        "/console/imports/upload",
        params={"name": "../../static/evil.csv"},
        content=b"id;page\n1;<script>alert(1)</script>\n",
        headers={"x-form-token": token},
    )
    kept = [one for one in platform.settings.data_dir.rglob("*") if one.is_file() and b"alert(1)" in one.read_bytes()]
    assert not any(one.is_relative_to(STATIC) for one in kept)
    assert not list(STATIC.rglob("evil.csv"))
    if answer.status_code == 200:
        page = await operator.get(answer.json()["location"])
        assert "<script>alert(1)" not in page.text


def _workbook(shared_strings: str) -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["id", "name"])
    plain = io.BytesIO()
    book.save(plain)
    packed = io.BytesIO()
    with zipfile.ZipFile(plain) as given, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for one in given.namelist():
            made.writestr(one, shared_strings if one.endswith("sharedStrings.xml") else given.read(one))
    return packed.getvalue()


_NESTED = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
XML_ATTACKS = {
    "entities that grow": f'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY l0 "lol">{_NESTED}]>'
    "<sst><si><t>&l9;</t></si></sst>",
    "a file of the server": '<?xml version="1.0"?><!DOCTYPE s [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    "<sst><si><t>&f;</t></si></sst>",
}


@pytest.mark.parametrize("shared_strings", XML_ATTACKS.values(), ids=XML_ATTACKS)
def test_a_workbooks_xml_neither_grows_nor_reads_files(tmp_path: Path, shared_strings: str) -> None:
    path = tmp_path / "table.xlsx"
    path.write_bytes(_workbook(shared_strings))
    told = ""
    try:
        with open_table(path, Source()) as table:
            told = str([table.header, *table.rows])
    except InvalidMapping as refused:
        told = refused.detail
    assert "root:" not in told
    assert len(told) < 10_000

import gzip
import re
from pathlib import Path

import httpx

from parvis.web.assets import COMPONENTS, HERE, STATIC, Assets
from parvis.web.markers import ICONS
from tests.conftest import ROOT


async def test_files_may_be_kept_for_ever_under_their_digest(visitor: httpx.AsyncClient) -> None:
    assets = Assets()
    answer = await visitor.get(assets.url("js/words.js"))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/javascript")


async def test_an_old_address_is_looked_at_anew(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/static/000000000000/js/words.js")
    assert answer.headers["cache-control"] == "no-cache"


async def test_a_digest_changes_with_any_file(tmp_path: Path) -> None:
    static = tmp_path / "static"
    (static / "css").mkdir(parents=True)
    for name in ("tokens.css", "base.css", "layout.css", "print.css"):
        (static / "css" / name).write_text("a {}")
    before = Assets(static, tmp_path).digest
    (static / "script.js").write_text("1")
    assert Assets(static, tmp_path).digest != before


async def test_files_travel_compressed_where_the_browser_can(visitor: httpx.AsyncClient) -> None:
    url = Assets().url("app.css")
    packed = await visitor.get(url, headers={"accept-encoding": "gzip"})
    plain = await visitor.get(url, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert len(gzip.compress(plain.content)) < 12_000


async def test_nothing_outside_the_folder_is_served(visitor: httpx.AsyncClient) -> None:
    digest = Assets().digest
    for path in ("..%2fapp.py", "%2e%2e%2fapp.py", "css%2f..%2f..%2fapp.py", "css"):
        assert (await visitor.get(f"/static/{digest}/{path}")).status_code == 404


def test_every_component_has_its_parts() -> None:
    for folder in COMPONENTS.iterdir():
        assert {f"{folder.name}.html", f"{folder.name}.css", "README.md"} <= {path.name for path in folder.iterdir()}


def test_every_icon_named_is_taken_from_the_library() -> None:
    offered = set((ROOT / "frontend/icons.txt").read_text().split())
    templates = [*HERE.rglob("*.html")]
    named = {name for path in templates for name in re.findall(r"icon(?:_name=|\()\"([a-z0-9-]+)\"", path.read_text())}
    assert {"map", "refresh-cw"} <= named
    assert (named | set(ICONS.values())) - offered == set()


def test_nothing_is_coloured_outside_the_tokens() -> None:
    sheets = [path for path in [*STATIC.glob("css/*.css"), *COMPONENTS.rglob("*.css")] if path.name != "tokens.css"]
    found = {
        f"{path.name}: {line.strip()}"
        for path in sheets
        for line in path.read_text().splitlines()
        if "#" in line and ": #" in line
    }
    assert found == set()


def test_no_page_asks_another_host_for_anything() -> None:
    own = [
        *HERE.rglob("*.html"),
        *(STATIC / "js").rglob("*.js"),
        *(STATIC / "css").rglob("*.css"),
        *COMPONENTS.rglob("*.css"),
    ]
    addresses = {path.name for path in own if "https://" in path.read_text() or 'src="http:' in path.read_text()}
    assert addresses == set()


def test_pages_hold_no_inline_script_or_style() -> None:
    for path in HERE.rglob("*.html"):
        text = path.read_text()
        assert " style=" not in text, path
        assert " onclick=" not in text, path
        assert "<script>" not in text, path

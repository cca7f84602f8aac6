"""Static files under an address that holds the digest of all of them, so that browsers may keep them for ever.

Style sheets of the design system and of every component are served as one, `app.css`.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

HERE = Path(__file__).parent
STATIC = HERE / "static"
COMPONENTS = HERE / "components"
STYLE_SHEETS = ("tokens.css", "base.css", "layout.css")
LAST_STYLE_SHEET = "print.css"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
}
FOR_EVER = "public, max-age=31536000, immutable"
REVALIDATED = "no-cache"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_STYLE_COMMENT = re.compile(rb"/\*.*?\*/\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class StaticFile:
    content: bytes
    compressed: bytes | None
    media_type: str


class Assets:
    def __init__(self, static: Path = STATIC, components: Path = COMPONENTS) -> None:
        self._static = static
        self._bundle = _style_bundle(static, components)
        self.digest = self._digest()
        self._read = lru_cache(maxsize=256)(self._read_file)

    def url(self, path: str) -> str:
        return f"/static/{self.digest}/{path}"

    @property
    def has_libraries(self) -> bool:
        return (self._static / "vendor/.stamp").is_file()

    def icon(self, name: str, label: str = "") -> Markup:
        """A Lucide icon drawn in the page; decoration unless it has a label."""
        return _labelled(self.icon_source(name), label)

    @lru_cache(maxsize=256)  # noqa: B019
    def icon_source(self, name: str) -> str:
        path = self._static / "vendor/icons" / f"{name}.svg"
        return _COMMENT.sub("", path.read_text(encoding="utf-8")).strip() if path.is_file() else _NO_ICON

    async def serve(self, request: Request) -> Response:
        file = self._read(request.path_params["path"])
        if file is None:
            return Response("There is no such file.\n", 404, media_type="text/plain")
        headers = {
            "cache-control": FOR_EVER if request.path_params["digest"] == self.digest else REVALIDATED,
            "content-type": file.media_type,
        }
        if file.compressed is None:
            return Response(file.content, headers=headers)
        headers["vary"] = "accept-encoding"
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(file.content, headers=headers)
        return Response(file.compressed, headers={**headers, "content-encoding": "gzip"})

    def _read_file(self, path: str) -> StaticFile | None:
        if path == "app.css":
            return _static_file(self._bundle, ".css")
        if "\0" in path:
            return None
        target = (self._static / path).resolve()
        if not target.is_relative_to(self._static.resolve()) or not target.is_file():
            return None
        return _static_file(target.read_bytes(), target.suffix)

    def _digest(self) -> str:
        state = hashlib.sha256(self._bundle)
        for path in sorted(self._static.rglob("*")):
            if path.is_file():
                state.update(path.relative_to(self._static).as_posix().encode())
                state.update(path.read_bytes())
        return state.hexdigest()[:12]


_NO_ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"></svg>'


def _labelled(svg: str, label: str) -> Markup:
    said = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    drawing = svg.replace("<svg", f'<svg {said} focusable="false"', 1)
    return Markup(drawing)  # noqa: S704


def _style_bundle(static: Path, components: Path) -> bytes:
    sheets = [static / "css" / name for name in STYLE_SHEETS]
    sheets += [*sorted(components.glob("*/*.css")), static / "css" / LAST_STYLE_SHEET]
    return _STYLE_COMMENT.sub(b"", b"\n".join(sheet.read_bytes() for sheet in sheets))


def _static_file(content: bytes, suffix: str) -> StaticFile:
    media_type = MEDIA_TYPES.get(suffix, "application/octet-stream")
    compressed = None if suffix == ".png" else gzip.compress(content, 6, mtime=0)
    return StaticFile(content, compressed, media_type)

"""Bytes of the residents' first page as a browser takes them: the page, its assets, and the modules these import.

The map's library comes on demand and is not counted.
"""

import gzip
import re
import urllib.request
from urllib.parse import urljoin

from benchmarks.harness.platform import serving
from benchmarks.harness.report import Figure, tell

ASSETS = re.compile(r'<(?:link|script|img)\b[^>]*?(?:href|src)="([^"#]+)"')
_IMPORTS = re.compile(r'^(?:import|export)\b[^"();=]*"(\.{1,2}/[^"]+)";', re.MULTILINE)


def main() -> list[Figure]:
    with serving(command="demo") as served:
        page, text = transferred(served.address + "/")
        assets = sorted({urljoin(served.address + "/", one) for one in ASSETS.findall(text)} - {served.address + "/"})
        sizes: dict[str, int] = {}
        for one in assets:
            if "/static/" in one:
                add_with_imports(one, sizes)
    for name, size in sizes.items():
        print(f"{size:>8} {name.rsplit('/', 1)[1]}")
    return [
        Figure("first page with its assets", (page + sum(sizes.values())) / 1024, "KB", 100, smaller_is_better=True)
    ]


def add_with_imports(url: str, sizes: dict[str, int]) -> None:
    if url in sizes:
        return
    sizes[url], text = transferred(url)
    if url.endswith(".js"):
        for module in _IMPORTS.findall(text):
            add_with_imports(urljoin(url, module), sizes)


def transferred(url: str) -> tuple[int, str]:
    """Bytes of the body as sent, and its text."""
    ask = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(ask) as answer:
        body = answer.read()
        plain = gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
        return len(body), plain.decode(errors="replace")


if __name__ == "__main__":
    tell(*main())

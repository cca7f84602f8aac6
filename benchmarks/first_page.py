"""Bytes of the residents' first page as a browser takes them: the page and everything it asks for."""

import gzip
import re
import urllib.request
from urllib.parse import urljoin

from benchmarks.harness.platform import serving
from benchmarks.harness.report import Figure, tell

_ASSETS = re.compile(r'<(?:link|script|img)\b[^>]*?(?:href|src)="([^"#]+)"')


def main() -> list[Figure]:
    with serving(command="demo") as served:
        page, text = transferred(served.address + "/")
        assets = sorted({urljoin(served.address + "/", one) for one in _ASSETS.findall(text)} - {served.address + "/"})
        sizes = {one: transferred(one)[0] for one in assets if "/static/" in one}
    for name, size in sizes.items():
        print(f"{size:>8} {name.rsplit('/', 1)[1]}")
    return [
        Figure("first page with its assets", (page + sum(sizes.values())) / 1024, "KB", 100, smaller_is_better=True)
    ]


def transferred(url: str) -> tuple[int, str]:
    """Bytes of the body as sent, and its text."""
    ask = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(ask) as answer:
        body = answer.read()
        plain = gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
        return len(body), plain.decode(errors="replace")


if __name__ == "__main__":
    tell(*main())

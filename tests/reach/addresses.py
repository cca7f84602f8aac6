"""The pages of the product, from its router, and an address for each from the links between them."""

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
from starlette.routing import BaseRoute, Match, Route

from parvis.web.app import ROUTES
from parvis.web.console.story import story_routes
from tests.web.test_story import Tale

NO_PAGES = frozenset({
    "/away",
    "/console/",
    "/console/first-run",
    "/console/search/typed-ahead",
    "/console/sign-in/code",
    "/console/sign-in/with/{key}",
    "/console/sign-in/with/{key}/return",
    "/console/zones",
    "/elsewhere",
    "/live/events",
    "/live/store",
    "/too-many",
})  # fmt: skip
"""What is read with GET and is no page of its own, besides files: parts of pages, what stands in a page's place, what
comes between two steps of signing in, and what only leads elsewhere."""
_FILE = re.compile(r"\.\w+$")
STORY = "/console/story"
NOWHERE = "/nowhere"
NOT_FOUND = "(not found)"
_LINK = re.compile(r'<a\b[^>]*?\shref="([^"#]*)')
_NUMBERS = re.compile(r"\d+|[0-9a-f]{8,}")
_PAGES_READ = 400


def list_routes() -> tuple[Route, ...]:
    """Also those that only a demonstration has."""
    every: tuple[BaseRoute, ...] = (*ROUTES, *story_routes(Tale()))
    return tuple(one for one in every if isinstance(one, Route))


def list_page_paths() -> list[str]:
    """As the router has them: `/console/jobs/{job_id}`."""
    return sorted({one.path for one in list_routes() if "GET" in (one.methods or ()) and _is_for_a_page(one.path)})


def _is_for_a_page(path: str) -> bool:
    return path not in NO_PAGES and not _FILE.search(path)


@dataclass
class Addresses:
    """Of one territory: for each page of the router some addresses, as unlike each other as the links have them."""

    most: int
    by_page: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _shapes: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, page: str, address: str, *, is_given: bool = False) -> None:
        shape = (page, _NUMBERS.sub("#", urlsplit(address).path), *sorted(dict(parse_qsl(urlsplit(address).query))))
        if is_given or (shape not in self._shapes and self.wants(page)):
            self._shapes.add(shape)
            self.by_page[page].append(address)

    def wants(self, page: str) -> bool:
        return len(self.by_page[page]) < self.most


def find_page(path: str) -> str | None:
    """The page of the router that answers at this path."""
    scope = {"type": "http", "path": path, "method": "GET", "root_path": ""}
    for one in list_routes():
        if one.matches(scope)[0] is Match.FULL:
            return one.path if _is_for_a_page(one.path) else None
    return None


def crawl(client: httpx.Client, seeds: Iterable[str] = (), most: int = 3) -> Mapping[str, list[str]]:
    """From the seeds, and the pages that need no id, along their links. What nothing leads to is missing."""
    found = Addresses(most)
    found.add(NOT_FOUND, NOWHERE)
    given = tuple(seeds)
    waiting = deque([*given, *(one for one in list_page_paths() if "{" not in one)])
    seen, read = set(waiting), 0
    while waiting and read < _PAGES_READ:
        address = waiting.popleft()
        page = find_page(urlsplit(address).path)
        if page is None or not (address in given or found.wants(page)):
            continue
        answer = client.get(address)
        read += 1
        if not _is_page(answer):
            continue
        found.add(page, address, is_given=address in given)
        fresh = [one for one in _links(answer) if one not in seen]
        seen.update(fresh)
        waiting.extend(fresh)
    return {page: addresses for page, addresses in found.by_page.items() if addresses}


def _is_page(answer: httpx.Response) -> bool:
    is_html = answer.headers.get("content-type", "").startswith("text/html")
    return answer.is_success and is_html and "<html" in answer.text[:500]


def _links(answer: httpx.Response) -> Iterator[str]:
    here = urlsplit(str(answer.url))
    for link in _LINK.findall(answer.text):
        parts = urlsplit(urljoin(str(answer.url), unescape(link)))
        if parts.netloc == here.netloc and not {"lang", "theme"} & dict(parse_qsl(parts.query)).keys():
            yield parts.path + (f"?{parts.query}" if parts.query else "")

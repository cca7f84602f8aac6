"""Looks at every page of the product in every way, and tells what is wrong: exit code 1 where anything is.

python -m tests.reach                       # a small territory, and one that is just begun
python -m tests.reach --demo                # and a demonstration
python -m tests.reach --address http://localhost:8080 --page /console/devices
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import httpx
from playwright.sync_api import Browser

from scripts.pictures import browsing, running
from tests.reach.addresses import STORY, crawl, list_page_paths
from tests.reach.looking import SCHEMES, WAYS, look, open_context
from tests.reach.territory import WRONG_OR_EMPTY, begin, furnish, wait_for_jobs

BEGUN = '[territory]\nname = "Kerlann"\ncentre = [-3.28, 47.70]\nzoom = 11.5\n'
FURNISHED = BEGUN + "[access]\nauth = false\n"
SPEAKING, SPEAKING_WITHIN_S = "devices are registered and begin to speak", 300
Cookies = Sequence[tuple[str, str]]
Faults = dict[str, dict[str, list[str]]]


class Round:
    """One walk through the product; the same fault in several ways is told once."""

    def __init__(self, browser: Browser, only: str) -> None:
        self.faults: Faults = defaultdict(lambda: defaultdict(list))
        self.looked_at = 0
        self.pages: set[str] = set()
        self._browser, self._only = browser, only

    def walk(self, where: str, address: str, pages: Mapping[str, Sequence[str]], cookies: Cookies = ()) -> None:
        for way in WAYS:
            context = open_context(self._browser, way)
            context.add_cookies([{"name": name, "value": value, "url": address} for name, value in cookies])
            window = context.new_page()
            for page, paths in self._wanted(pages):
                for path in paths:
                    self.looked_at += len(SCHEMES)
                    for scheme, fault in look(window, address + path):
                        self.faults[f"{where}: {path}"][fault].append(f"{way} {scheme}")
                self.pages.add(page)
            context.close()
            sys.stdout.write(f"{where}, {way}: {self.looked_at} looks, {len(self.faults)} pages with faults\n")
            sys.stdout.flush()

    def _wanted(self, pages: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Sequence[str]]]:
        return ((page, paths) for page, paths in sorted(pages.items()) if page.startswith(self._only))


def client_of(address: str) -> httpx.Client:
    return httpx.Client(base_url=address, timeout=30, headers={"accept-language": "en"})


def walk_furnished(round_: Round) -> None:
    with running("up", settings=FURNISHED) as parvis, client_of(parvis.address) as client:
        seeds = furnish(client)
        wait_for_jobs(client)
        round_.walk("furnished", parvis.address, crawl(client, [*seeds, *WRONG_OR_EMPTY]))


def walk_begun(round_: Round) -> None:
    """With nothing in it: as a stranger, from the one-time link, and as the administrator."""
    with running("up", settings=BEGUN) as parvis, client_of(parvis.address) as client:
        round_.walk("stranger", parvis.address, crawl(client, [parvis.link]))
        cookies = begin(client, parvis.link)
        round_.walk("administrator", parvis.address, crawl(client, most=1), cookies)


def walk_demonstration(round_: Round) -> None:
    with running("demo", "--days", "3") as parvis, client_of(parvis.address) as client:
        parvis.wait_for(SPEAKING, SPEAKING_WITHIN_S)
        cookies = begin(client, parvis.link)
        round_.walk("demonstration", parvis.address, crawl(client), cookies)


def tell(round_: Round) -> None:
    for page, faults in round_.faults.items():
        sys.stdout.write(f"\n{page}\n")
        for fault, ways in faults.items():
            sys.stdout.write(f"  [{', '.join(ways)}] {fault}\n")
    sys.stdout.write(f"\n{round_.looked_at} looks at {len(round_.pages)} pages: {len(round_.faults)} with faults\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reach", description=__doc__.split("\n")[0])
    parser.add_argument("--demo", action="store_true", help="a demonstration too, with its scenario")
    parser.add_argument("--address", help="one that runs already, instead of our own")
    parser.add_argument("--page", default="", help="only pages that begin so")
    chosen = parser.parse_args()
    with browsing() as browser:
        round_ = Round(browser, chosen.page)
        if chosen.address:
            with client_of(chosen.address) as client:
                round_.walk("there", chosen.address, crawl(client))
        else:
            walk_furnished(round_)
            walk_begun(round_)
            if chosen.demo:
                walk_demonstration(round_)
        tell(round_)
    expected = {one for one in list_page_paths() if one.startswith(chosen.page)} - (set() if chosen.demo else {STORY})
    missed = expected - round_.pages if not chosen.address else set()
    sys.stdout.writelines(f"no link leads to {one}\n" for one in sorted(missed))
    sys.exit(bool(round_.faults or missed))


if __name__ == "__main__":
    main()

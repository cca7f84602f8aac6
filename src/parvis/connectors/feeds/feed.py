"""One feed, asked over and over at its own pace: what is wrong with it delays no other."""

import asyncio
import logging
import random
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

from parvis.connectors.feeds import metrics
from parvis.connectors.feeds.client import FeedClient, NoFeed, Page
from parvis.connectors.feeds.codec import UnreadableFeed, read_documents
from parvis.connectors.feeds.config import MOST_STATIONS, FeedSettings
from parvis.connectors.feeds.mapping import FeedFormat, Reading, list_addresses
from parvis.connectors.feeds.records import StationRecords
from parvis.fleet.documents.expressions import ExpressionFailed
from parvis.fleet.ways.polling import FIRST_WITHIN_S, Pace
from parvis.fleet.ways.sources import Sources
from parvis.kernel.errors import ParvisError
from parvis.kernel.time import SECOND, Clock, Instant, system_clock
from parvis.kernel.trouble import Trouble

WAY = "feeds"
MOST_PAGES = 20
_JITTER = 0.05
_ANY_S = 1e9
_GIVEN_UP_AFTER = 3
"""Addresses of one service that fail before any has answered: the rest waits for the next turn."""
_USABLE = frozenset({"answered", "unchanged", "partly"})
_STATES = ("fresh", "stale", "missing")
_log = logging.getLogger(__name__)


class Feed:
    def __init__(
        self,
        name: str,
        form: FeedFormat,
        settings: FeedSettings,
        client: FeedClient,
        records: StationRecords,
        pace: Pace,
        clock: Clock = system_clock,
        sources: Sources | None = None,
        future_limit_s: float = 600.0,
    ) -> None:
        self.name = name
        self._form = form
        self._settings = settings
        self._wanted = frozenset(settings.stations)
        self._client = client
        self._records = records
        self._pace = pace
        self.clock = clock
        self.failures = 0
        self._sources = sources or Sources(clock)
        self._future_limit = round((future_limit_s or _ANY_S) * SECOND)
        self._fault: Exception | None = None
        self._wait_s = 0.0
        self._trouble = Trouble(f"the feed {name} gives nothing that can be used")
        self._judging = Trouble(f"the stations of the feed {name} cannot be told stale")

    async def run(self) -> None:
        """Until cancelled: another process tells of the stations then."""
        await asyncio.sleep(random.random() * FIRST_WITHIN_S)  # noqa: S311 (spreads load)
        try:
            while True:
                await self.ask()
                await asyncio.sleep(self.pause_s())
        finally:
            self._sources.forget(WAY, self.name)
            for state in _STATES:
                with suppress(KeyError):
                    metrics.STATIONS.remove(self.name, state)

    def pause_s(self) -> float:
        jitter = 1 + _JITTER * (2 * random.random() - 1)  # noqa: S311 (spreads load)
        return max(self._pace.pause_s(self.failures) * jitter, self._wait_s)

    async def ask(self) -> None:
        """Once; whatever comes of it, stations that have become stale are told so."""
        self._wait_s = 0.0
        result = await self._turn()
        self.failures = 0 if result in _USABLE else self.failures + 1
        metrics.TURNS.labels(self.name, result).inc()
        if result in _USABLE:
            metrics.ANSWERED_AT.labels(self.name).set(self.clock() / SECOND)
            self._sources.note_answer(WAY, self.name)
        else:
            self._sources.note_failure(WAY, self.name, self._fault)
        try:
            await self._judge()
        except Exception as fault:
            self._judging.note(fault)
        else:
            self._judging.is_over()

    async def _turn(self) -> str:
        addresses = list_addresses(self._form, self._settings, self.clock())
        answered = changed = failed = 0
        result = ""
        for address in addresses:
            try:
                changed += await self._take(address)
                answered += 1
            except Exception as fault:
                failed += 1
                result = self._note(fault)
            if self._wait_s or (failed >= _GIVEN_UP_AFTER and not answered):
                break
        if not failed:
            self._trouble.is_over()
            return "answered" if changed else "unchanged"
        return "partly" if answered else result

    def _note(self, fault: Exception) -> str:
        self._trouble.note(fault)
        self._fault = fault
        match fault:
            case NoFeed():
                self._wait_s = fault.wait_s
                return "no_answer"
            case UnreadableFeed() | ExpressionFailed():
                return "unreadable"
            case ParvisError():
                return "not_stored"
            case _:
                _log.debug("feeds: %s", self.name, exc_info=fault)
                return "failed"

    async def _take(self, address: str) -> bool:
        """Whether there was anything but "not modified"."""
        header = self._form.header
        page = await self._client.fetch(address, may_be_missing=header.days > 1)
        first = page
        for _ in range(MOST_PAGES):
            if page is None:
                break
            following = await self._take_page(page)
            if following is None:
                self._client.remember(page)
                break
            page = await self._client.fetch(_further(page.url, following))
        return first is not None

    async def _take_page(self, page: Page) -> str | None:
        """The address of the next one, where there is one."""
        now = self.clock()
        reading, following = await asyncio.to_thread(self.read, page.body, now)
        for reason, count in reading.refused.items():
            metrics.REFUSED.labels(self.name, reason).inc(count)
        stored = await self._records.store(reading.stations.values())
        metrics.OBSERVATIONS.labels(self.name).inc(stored)
        return following

    def read(self, body: bytes, now: Instant) -> tuple[Reading, str | None]:
        """What an answer tells, and the address of the page after it.

        Raises:
            UnreadableFeed, ExpressionFailed
        """
        header, reading, following = self._form.header, Reading(), None
        for document in read_documents(body, header.encoding, header.charset):
            self._form.read(document, self._wanted, MOST_STATIONS, now + self._future_limit, reading)
            following = self._form.find_next(document)
        for station in reading.stations.values():
            station.place = station.place or self._settings.places.get(station.id)
            station.name = station.name or self._settings.names.get(station.id, "")
        return reading, following

    async def _judge(self) -> None:
        standing = await self._records.judge(self.clock())
        heard = standing.fresh + standing.stale
        missing = max(len(self._wanted) - heard, 0)
        for state, count in zip(_STATES, (standing.fresh, standing.stale, missing), strict=True):
            metrics.STATIONS.labels(self.name, state).set(count)
        self._sources.note_stations(WAY, self.name, standing.fresh, standing.stale, missing)


def _further(url: str, following: str) -> str:
    """The next page, of the same service only: a key that goes with the call is for nobody else."""
    further = urljoin(url, following)
    if urlsplit(further)[:2] != urlsplit(url)[:2]:
        raise NoFeed(f"The next page is elsewhere: {further[:200]}.")
    return further

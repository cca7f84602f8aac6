"""Feeds of open data, asked by the one process that leads."""

import asyncio

from parvis.connectors.feeds.client import FeedClient
from parvis.connectors.feeds.config import FeedsConfig, FeedSettings
from parvis.connectors.feeds.feed import WAY, Feed
from parvis.connectors.feeds.mapping import FORMATS_FOLDER, PACKAGED_FORMATS, FeedFormat, load_format
from parvis.connectors.feeds.records import StationRecords
from parvis.fleet.ways.connector import Connector, InvalidConnector, Surroundings, find_repeated, read_config
from parvis.fleet.ways.polling import Pace
from parvis.kernel.identity import system_caller


def build(surroundings: Surroundings) -> Connector:
    feeds = build_feeds(surroundings)

    async def poll() -> None:
        async with asyncio.TaskGroup() as tasks:
            for feed in feeds:
                tasks.create_task(feed.run())

    return Connector(WAY, works={"poll": poll} if feeds else {})


def build_feeds(surroundings: Surroundings) -> list[Feed]:
    """Raises InvalidConnector."""
    config = read_config(surroundings, FeedsConfig)
    if twice := find_repeated(one.name or one.feed for one in config.feed):
        raise InvalidConnector(f"two feeds are named {twice}: give each a name")
    return [_build_feed(one, config, surroundings) for one in config.feed]


def _build_feed(settings: FeedSettings, config: FeedsConfig, surroundings: Surroundings) -> Feed:
    form = load_format(settings.feed, [surroundings.data_dir / FORMATS_FOLDER, PACKAGED_FORMATS])
    _check(form, settings)
    name = settings.name or settings.feed
    header = form.header
    records = StationRecords(
        surroundings.broker,
        system_caller("feeds", config.tenant),
        form,
        name,
        settings.stale_after_s or header.stale_after_s,
    )
    client = FeedClient(surroundings.outbound, settings.headers, config.largest_bytes)
    pace = Pace(settings.every_s or header.every_s, config.longest_pause_s)
    sources = surroundings.fleet.ways.sources
    return Feed(name, form, settings, client, records, pace, sources=sources, future_limit_s=config.future_limit_s)


def _check(form: FeedFormat, settings: FeedSettings) -> None:
    told = {name.lower() for name in settings.headers}
    if missing := [name for name in form.header.needs_headers if name.lower() not in told]:
        raise InvalidConnector(f"{settings.feed} needs the header {missing[0]!r} (headers = {{ {missing[0]} = ... }})")
    if form.needs_stations and not settings.stations:
        raise InvalidConnector(f"{settings.feed} answers for stations by name only: give stations")

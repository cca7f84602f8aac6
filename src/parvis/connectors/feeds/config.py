"""`[connectors.feeds]`: which feeds are asked, for which stations."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from parvis.kernel.identity import DEFAULT_TENANT

_Seconds = Annotated[float, msgspec.Meta(ge=10, le=86_400)]
_Age = Annotated[float, msgspec.Meta(ge=60, le=31_536_000)]
_Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
_Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
_Name = Annotated[str, msgspec.Meta(pattern="^([0-9a-z][0-9a-z-]{0,62})?$")]
_Station = Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")]
_Label = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
MOST_FEEDS = 100
MOST_STATIONS = 5000


class FeedSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`feed` is the folder of its format, `name` tells two of the same format apart. Without `stations` all that the
    feed answers with are taken, at most MOST_STATIONS. `places` ([longitude, latitude] by station) and `names` are for
    a feed that does not tell them. `query` is added to the format's own parameters, and `url`, `every_s` and
    `stale_after_s` stand instead of the format's.
    """

    feed: Annotated[str, msgspec.Meta(min_length=1)]
    name: _Name = ""
    stations: Annotated[tuple[_Station, ...], msgspec.Meta(max_length=MOST_STATIONS)] = ()
    places: Mapping[str, tuple[_Longitude, _Latitude]] = {}
    names: Mapping[str, _Label] = {}
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    url: str = ""
    every_s: _Seconds | None = None
    stale_after_s: _Age | None = None


class FeedsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is dated more than `future_limit_s` ahead of the clock is refused; 0 takes any."""

    feed: Annotated[tuple[FeedSettings, ...], msgspec.Meta(max_length=MOST_FEEDS)] = ()
    tenant: str = DEFAULT_TENANT
    longest_pause_s: _Seconds = 3600.0
    future_limit_s: Annotated[float, msgspec.Meta(ge=0)] = 600.0
    largest_bytes: Annotated[int, msgspec.Meta(ge=1024, le=134_217_728)] = 33_554_432

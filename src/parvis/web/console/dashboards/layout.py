"""What a dashboard consists of: widgets in order, each of one kind, as wide as one to four columns."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import DAY, HOUR, MINUTE, Instant

COLUMNS = 4
TALLEST = 3
MOST_WIDGETS = 24
MOST_SERIES = 5
LONGEST_NAME = 80
LONGEST_TEXT = 4_000
MOST_BYTES = 100 << 10
AREA_LEAD, WORD_LEAD = "area:", "word:"


class WidgetKind(StrEnum):
    FIGURE = "figure"
    SERIES = "series"
    MAP = "map"
    TABLE = "table"
    GAUGE = "gauge"
    BARS = "bars"
    TOP = "top"
    TEXT = "text"
    STATES = "states"
    DAYS = "days"
    AGE = "age"
    ALERTS = "alerts"


class Method(StrEnum):
    """What the numbers of several objects come to."""

    AVERAGE = "average"
    SUM = "sum"
    LOWEST = "lowest"
    HIGHEST = "highest"
    COUNT = "count"
    ATTENTION = "attention"


class Period(StrEnum):
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"

    @property
    def length(self) -> Instant:
        return {Period.DAY: DAY, Period.WEEK: 7 * DAY, Period.MONTH: 30 * DAY, Period.QUARTER: 90 * DAY}[self]

    @property
    def step(self) -> Instant:
        """What values are averaged over: some two hundred points whatever the period."""
        return {
            Period.DAY: 10 * MINUTE, Period.WEEK: HOUR, Period.MONTH: 3 * HOUR, Period.QUARTER: 12 * HOUR,
        }[self]  # fmt: skip


Name = Annotated[str, Meta(max_length=LONGEST_NAME)]
Identifier = Annotated[str, Meta(max_length=500)]


class Widget(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """`about` is a type (short name), a domain, or empty for everything; `place` one commune of it.

    `entities` are single objects instead: several of a series, one of a figure, a gauge or a picture of days.
    `zones` says what bars stand for: communes where it is empty, "area:" and a type whose entities have areas, or
    "word:" and an attribute, which may be a relationship.
    """

    kind: WidgetKind
    title: Name = ""
    width: Annotated[int, Meta(ge=1, le=COLUMNS)] = 1
    height: Annotated[int, Meta(ge=1, le=TALLEST)] = 1
    about: Identifier = ""
    place: Name = ""
    attribute: Identifier = ""
    zones: Identifier = ""
    entities: Annotated[tuple[Identifier, ...], Meta(max_length=MOST_SERIES)] = ()
    method: Method = Method.AVERAGE
    period: Period = Period.DAY
    compare: bool = False
    text: Annotated[str, Meta(max_length=LONGEST_TEXT)] = ""

    @property
    def entity(self) -> str:
        return self.entities[0] if self.entities else ""

    @property
    def area_type(self) -> str:
        return self.zones.removeprefix(AREA_LEAD) if self.zones.startswith(AREA_LEAD) else ""

    @property
    def word_name(self) -> str:
        return self.zones.removeprefix(WORD_LEAD) if self.zones.startswith(WORD_LEAD) else ""


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    widgets: Annotated[tuple[Widget, ...], Meta(max_length=MOST_WIDGETS)] = ()


def parse_layout(text: str) -> Layout:
    """Raises BadRequestData."""
    if len(text) > MOST_BYTES:
        raise BadRequestData("The dashboard is too large: leave some text out.")
    try:
        return msgspec.json.decode(text, type=Layout)
    except (msgspec.DecodeError, UnicodeEncodeError) as fault:
        raise BadRequestData("The dashboard cannot be read: load the page again.") from fault


def parse_widget(text: str) -> Widget:
    """Raises BadRequestData."""
    widgets = parse_layout(f'{{"widgets":[{text}]}}').widgets
    if len(widgets) != 1:
        raise BadRequestData("The dashboard cannot be read: load the page again.")
    return widgets[0]


def layout_text(layout: Layout) -> str:
    return msgspec.json.encode(layout).decode()

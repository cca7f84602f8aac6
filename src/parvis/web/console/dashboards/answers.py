"""What the widgets of a dashboard show: each asks the broker one question about the present, or one about the past."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import Caller
from parvis.web.console.dashboards.bars import COUNTS, BarsByZone
from parvis.web.console.dashboards.cached import Cached
from parvis.web.console.dashboards.layout import Layout, Widget, WidgetKind
from parvis.web.console.dashboards.past import Past
from parvis.web.console.dashboards.present import Present, method_of
from parvis.web.console.dashboards.prose import prose
from parvis.web.console.dashboards.titles import title_of
from parvis.web.headline import State
from parvis.web.site import Site
from parvis.web.wording import Wording

LONGEST_S = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """`fault`: why nothing is shown ("incomplete", "gone", "failed"); `data` is of the widget's kind."""

    widget: Widget
    title: str
    data: Any = None
    fault: str = ""
    state: State | None = None
    names: dict[str, str] = field(default_factory=dict)


class Answers:
    """Of one caller, in one language, as of one moment."""

    def __init__(self, site: Site, cached: Cached, caller: Caller, t: Wording) -> None:
        self._t = t
        self._present = Present(site, cached, caller, t)
        self._past = Past(site, cached, caller, t)
        self._by_zone = BarsByZone(self._present, site.reader, t)
        self._asked: Mapping[WidgetKind, Callable[[Widget], Awaitable[Any]]] = {
            WidgetKind.FIGURE: self._figure,
            WidgetKind.GAUGE: self._present.gauge,
            WidgetKind.SERIES: self._past.series,
            WidgetKind.DAYS: self._past.days,
            WidgetKind.MAP: self._present.states,
            WidgetKind.STATES: self._present.states,
            WidgetKind.AGE: self._present.age,
            WidgetKind.BARS: self._by_zone.bars,
            WidgetKind.TABLE: self._present.rows,
            WidgetKind.TOP: self._present.rows,
            WidgetKind.ALERTS: self._present.alerts,
        }

    async def list_answers(self, layout: Layout) -> Sequence[Answer]:
        return await asyncio.gather(*(self.answer(widget) for widget in layout.widgets))

    async def answer(self, widget: Widget) -> Answer:
        """A widget that cannot be answered says so, and the others stand."""
        if not is_complete(widget):
            return Answer(widget, title_of(widget, {}, self._t), fault="incomplete")
        names: dict[str, str] = {}
        try:
            async with asyncio.timeout(LONGEST_S):
                names = await self._present.names(widget)
                data = await self._data(widget)
        except (ParvisError, TimeoutError) as fault:
            _log.info("a widget has no answer", extra={"kind": widget.kind.value, "reason": str(fault)})
            return Answer(widget, title_of(widget, names, self._t), fault="failed", names=names)
        title = title_of(widget, names, self._t)
        if data is None:
            return Answer(widget, title, fault="gone", names=names)
        return Answer(widget, title, data, state=getattr(data, "state", None), names=names)

    async def _data(self, widget: Widget) -> Any:
        if widget.kind is WidgetKind.TEXT:
            return prose(widget.text)
        return await self._asked[widget.kind](widget)

    def _figure(self, widget: Widget) -> Awaitable[Any]:
        return self._past.figure(widget) if widget.entities else self._present.figure(widget)


def is_complete(widget: Widget) -> bool:
    match widget.kind:
        case WidgetKind.SERIES | WidgetKind.DAYS:
            return bool(widget.entities and widget.attribute)
        case WidgetKind.TEXT:
            return bool(widget.text.strip())
        case WidgetKind.TOP:
            return bool(widget.about)
        case WidgetKind.BARS:
            return bool(widget.about) or method_of(widget) in COUNTS
        case WidgetKind.FIGURE | WidgetKind.GAUGE:
            return bool(widget.entities or widget.about)
        case WidgetKind.MAP | WidgetKind.TABLE | WidgetKind.STATES | WidgetKind.AGE | WidgetKind.ALERTS:
            return True
        case _:
            assert_never(widget.kind)

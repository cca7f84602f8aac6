"""What a widget is called where nobody has given it a title: what it shows, in the reader's language."""

from collections.abc import Mapping

from parvis.web.console.dashboards.layout import Method, Widget, WidgetKind
from parvis.web.headline import PROFILES, Domain
from parvis.web.views import short_id
from parvis.web.wording import Wording
from parvis.web.zones import ZONE

_OF_NUMBERS = frozenset({WidgetKind.FIGURE, WidgetKind.GAUGE, WidgetKind.BARS})


def title_of(widget: Widget, names: Mapping[str, str], t: Wording) -> str:
    if widget.title:
        return widget.title
    if widget.kind is WidgetKind.TEXT:
        return ""
    if widget.entities:
        return _of_objects(widget, names, t)
    if widget.kind in (WidgetKind.SERIES, WidgetKind.DAYS):
        return t(f"board_kind.{widget.kind.value}")
    things = things_of(widget, t)
    if widget.kind in _OF_NUMBERS or widget.kind is WidgetKind.TOP:
        return _of_numbers(widget, things, t)
    return t(f"board_title.{widget.kind.value}", things=things)


def things_of(widget: Widget, t: Wording) -> str:
    """ "Waste containers, Port"."""
    about = widget.about
    if not about:
        things = t("board.everything")
    else:
        things = t(f"domain.{about}") if about in list(Domain) else t.type_name(about)
    return f"{things}, {widget.place}" if widget.place else things


def attribute_of(widget: Widget) -> str:
    """The one that is named, else the one that matters most."""
    profile = PROFILES.get(widget.about)
    return widget.attribute or (profile.headlines[0].attribute if profile is not None else "")


def _of_objects(widget: Widget, names: Mapping[str, str], t: Wording) -> str:
    attribute = t.attribute_name(widget.attribute) if widget.attribute else ""
    who = names.get(widget.entity, short_id(widget.entity)) if len(widget.entities) == 1 else ""
    return ", ".join(filter(None, (attribute, who))) or t("board_kind." + widget.kind.value)


def _of_numbers(widget: Widget, things: str, t: Wording) -> str:
    attribute = attribute_of(widget)
    if widget.kind is WidgetKind.TOP:
        key = "top_lowest" if widget.method is Method.LOWEST else "top"
        return t(f"board_title.{key}", attribute=t.attribute_name(attribute, widget.about), things=things)
    method = widget.method if attribute or widget.method is Method.ATTENTION else Method.COUNT
    named = t.attribute_name(attribute, widget.about) if attribute else ""
    told = t(f"board_method.{method.value}", attribute=named, things=things)
    return _by_zone(widget, told, t) if widget.kind is WidgetKind.BARS else told


def _by_zone(widget: Widget, told: str, t: Wording) -> str:
    if widget.word_name:
        attribute = t.attribute_name(widget.word_name, widget.about)
        return t("board_title.by_word", what=told, attribute=attribute)
    if not widget.area_type:
        return t("board_title.by_place", what=told)
    if widget.area_type == ZONE:
        return t("board_title.by_zone", what=told)
    return t("board_title.by_area", what=told, areas=t.type_name(widget.area_type))

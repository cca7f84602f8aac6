"""Objects of one name in one list, told apart."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from parvis.web.views import ObjectView, short_id


def told_apart(views: Sequence[ObjectView]) -> Sequence[ObjectView]:
    """Those of one name, type and commune with their address, or their id where that is the same or not known."""
    alike: defaultdict[tuple[str, str, str], list[ObjectView]] = defaultdict(list)
    for view in views:
        alike[view.name, view.type, view.commune].append(view)
    apart = {one.id: text for some in alike.values() if len(some) > 1 for one, text in _apart(some)}
    if not apart:
        return views
    return [replace(view, apart=apart[view.id]) if view.id in apart else view for view in views]


def _apart(alike: Sequence[ObjectView]) -> Iterable[tuple[ObjectView, str]]:
    streets = [one.street for one in alike]
    for one in alike:
        yield one, one.street if one.street and streets.count(one.street) == 1 else short_id(one.id)

"""The span of time that a shortened answer covers (NGSI-LD 1.9.1, 6.3.10)."""

from collections.abc import Iterator, Sequence

from parvis.broker.model.entity import Instance
from parvis.broker.ports.store import EntityHistory
from parvis.broker.query.tree import TemporalQuery, TimeProperty, TimeRelation
from parvis.kernel.time import Instant, format_instant


def content_range(histories: Sequence[EntityHistory], query: TemporalQuery) -> str | None:
    """The Content-Range header, or None where nothing was cut. With lastN it runs from the newest backwards."""
    reached = [one.truncated_at for one in histories if one.truncated_at is not None]
    if not reached:
        return None
    times = sorted(_times(histories, query.time_property))
    if query.last_n is not None:
        start, end, size = _newest(query, times), max(reached), str(query.last_n)
    else:
        start, end, size = _oldest(query, times), min(reached), "*"
    return f"date-time {format_instant(start)}-{format_instant(end)}/{size}"


def _oldest(query: TemporalQuery, times: Sequence[Instant]) -> Instant:
    is_bounded = query.relation in (TimeRelation.AFTER, TimeRelation.BETWEEN)
    return query.at if is_bounded and query.at is not None else times[0]


def _newest(query: TemporalQuery, times: Sequence[Instant]) -> Instant:
    if query.relation is TimeRelation.BETWEEN and query.end is not None:
        return query.end
    return query.at if query.relation is TimeRelation.BEFORE and query.at is not None else times[-1]


def _times(histories: Sequence[EntityHistory], time_property: TimeProperty) -> Iterator[Instant]:
    for history in histories:
        for instances in history.instances.values():
            for one in instances:
                yield _time(one, time_property)


def _time(instance: Instance, time_property: TimeProperty) -> Instant:
    if time_property is TimeProperty.OBSERVED_AT:
        return instance.seen_at
    return instance.created_at if time_property is TimeProperty.CREATED_AT else instance.modified_at

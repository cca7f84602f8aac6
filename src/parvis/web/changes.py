"""What an open page is told of a change: only what it shows, in its language."""

from collections.abc import Sequence
from typing import Any

import msgspec

from parvis.broker.model.change import EventKind
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.model.merge import is_older
from parvis.kernel.time import SECOND, Instant
from parvis.web.console.entity_values import value_text
from parvis.web.live import Listener, Pending
from parvis.web.sentences import state_sentence
from parvis.web.site import Site
from parvis.web.units import SHARES_OF_ONE
from parvis.web.views import ObjectView, short_id
from parvis.web.wording import Wording

ON_TIME = 5 * SECOND
"""A measurement told this soon is taken for the present one. Of any later one the store says whether it is."""


class ChangeRenderer:
    """`detailed`: every attribute that changed, for the entity's own page."""

    def __init__(self, site: Site, listener: Listener, words: Wording, detailed: bool) -> None:
        self._site = site
        self._caller = listener.caller
        self._words = words
        self._detailed = detailed

    async def render(self, news: Sequence[Pending]) -> list[dict[str, Any]]:
        return [await self._render(one) for one in news]

    async def _render(self, news: Pending) -> dict[str, Any]:
        if news.kind is EventKind.DELETED:
            return {"id": news.entity_id, "gone": True}
        entity = await self._entity(news)
        if entity is None:
            return {"id": news.entity_id, "gone": True}
        view = self._site.reader.view(entity, self._site.now)
        change = self._headline(view) | self._told_besides(news)
        if self._detailed:
            change["sentence"] = state_sentence(view, self._words, self._site.now)
            change["attributes"] = [self._attribute(_present(one, entity, news.at)) for one in news.instances.values()]
        return change

    async def _entity(self, news: Pending) -> Entity | None:
        """What the change itself tells, where that suffices to judge the state; else the stored entity."""
        is_told = news.kind is EventKind.CREATED or self._suffices(news)
        if is_told and not any(_is_late(one, news.at) for one in news.instances.values()):
            return Entity(news.entity_id, news.types, tuple(_recorded(one, news.at) for one in news.instances.values()))
        return await self._site.platform.broker.find(self._caller, news.entity_id)

    def _suffices(self, news: Pending) -> bool:
        needed = self._site.reader.judged_by(news.types)
        return bool(needed) and all((name, "") in news.instances for name in needed)

    def _told_besides(self, news: Pending) -> dict[str, bool]:
        """What else than its state may bring an object into a filter's set, or take it out."""
        names = {name for name, _ in news.instances}
        reader = self._site.reader
        told = {
            "created": news.kind is EventKind.CREATED,
            "placed": reader.location in names,
            "named": not names.isdisjoint(reader.called_by),
        }
        return {name: True for name, is_so in told.items() if is_so}

    def _headline(self, view: ObjectView) -> dict[str, Any]:
        """The place only where the change tells one: most say nothing of it."""
        told = {
            "id": view.id,
            "value": view.value_text(self._words),
            "state": view.state.word,
            "rank": int(view.state),
            "attribute": None if view.headline is None else view.headline.attribute,
            "at": None if view.observed_at is None else view.observed_at // 1000,
            "number": _drawn(view.value, "" if view.headline is None else view.headline.attribute),
            "stored": not view.is_dated,
            "stale_at": None if view.stale_at is None else view.stale_at // 1000,
        }
        if view.position is None:
            return told
        return told | {"position": view.position} | ({} if view.shape is None else {"shape": view.shape})

    def _attribute(self, instance: Instance) -> dict[str, Any]:
        name = self._site.reader.compact(instance.name)
        is_related = instance.kind is Kind.RELATIONSHIP
        number, unit = ("", "") if is_related else value_text(instance, name, self._words)
        return {
            "name": name,
            "dataset": short_id(instance.dataset),
            "text": number,
            "unit": unit,
            "number": _drawn(instance.value, name),
            "at": instance.seen_at // 1000,
            "stored": instance.observed_at is None,
        }


def _is_late(instance: Instance, at: Instant) -> bool:
    """It may have become history only (`Change.keep_newest`)."""
    return instance.observed_at is not None and instance.observed_at < at - ON_TIME


def _present(told: Instance, entity: Entity, at: Instant) -> Instance:
    held = entity.find(told.name, told.dataset)
    return held if held is not None and is_older(told, held) else _recorded(told, at)


def _recorded(instance: Instance, at: int) -> Instance:
    """What a change tells is not yet stamped with when it was stored."""
    return msgspec.structs.replace(instance, modified_at=instance.modified_at or at)


def _drawn(value: Any, attribute: str) -> float | None:
    """As the chart draws it; None for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value * 100 if attribute in SHARES_OF_ONE else value

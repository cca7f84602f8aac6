"""The state of an entity in one sentence."""

from parvis.kernel.time import HOUR, MINUTE, Instant
from parvis.web.headline import Headline, State
from parvis.web.views import ObjectView
from parvis.web.wording import Wording


def state_sentence(view: ObjectView, t: Wording, now: Instant) -> str:
    """ "Fill level 62 %, measured 12 min ago. In order." """
    if view.headline is None:
        return t("entity.no_measure")
    if view.observed_at is None:
        return t("entity.never_measured", attribute=t.attribute_name(view.headline.attribute, view.type))
    told = {"attribute": t.attribute_name(view.headline.attribute, view.type), "value": view.value_text(t)}
    measured = (
        t("entity.measured", **told, age=t.age(view.observed_at, now)) if view.is_dated else t("entity.undated", **told)
    )
    return f"{measured} {_judgement(view, view.headline, t)}".strip()


def _judgement(view: ObjectView, headline: Headline, t: Wording) -> str:
    if view.alarmed:
        return t(f"entity.alarm_{headline.alarm}")
    if view.state is State.STALE:
        if headline.period is None and view.value is not None:
            return t("entity.feed_stale")
        return t("entity.stale", period=spell_period(headline.period or HOUR, t))
    if not view.is_possible:
        return t("entity.impossible")
    threshold = {State.BAD: headline.bad, State.WARN: headline.warn}.get(view.state)
    if threshold is None:
        return t("entity.good") if headline.warn is not None else ""
    limit = t.quantity(threshold, view.unit_code, headline.attribute)
    return t("entity.below" if headline.low_is_bad else f"entity.above_{view.state.word}", limit=limit)


def spell_period(period: Instant, t: Wording) -> str:
    if period < HOUR:
        return t("period.minutes", n=period // MINUTE)
    return t("period.hours", n=period // HOUR)

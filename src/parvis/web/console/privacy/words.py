"""Purposes and how long something is kept, as people say it."""

import re
from collections.abc import Mapping, Sequence

from parvis.access.privacy.holding import Holding
from parvis.access.privacy.model import Cover, Purpose, Then, Words
from parvis.web.wording import Wording

_PARTS = re.compile(r"(\d+)([YMWDHS])")
_DAYS = {"Y": "years", "M": "months", "W": "weeks", "D": "days"}
_TIMES = {"H": "hours", "M": "minutes", "S": "seconds"}


def said(words: Words, t: Wording) -> str:
    """In the reader's language, else as it is there."""
    return words.get(t.language) or next((one for one in words.values() if one), "")


def span(keep: str, t: Wording) -> str:
    """Of an ISO 8601 duration: 13 months."""
    days, _, times = keep.partition("T")
    told = [(count, _DAYS[unit]) for count, unit in _PARTS.findall(days)]
    told += [(count, _TIMES[unit]) for count, unit in _PARTS.findall(times)]
    return " ".join(t(f"privacy_span.{unit}", n=int(count)) for count, unit in told)


def kept(cover: Cover, t: Wording) -> str:
    """How long, and what becomes of it then."""
    if cover.then is Then.ERASE:
        return t("privacy.kept_erased", span=span(cover.keep, t))
    return _totals(cover, span(cover.keep, t), t)


def holds(holding: Holding, t: Wording) -> str:
    """The same of what several purposes come to."""
    full = span(holding.full.cover.keep, t)
    totals = holding.totals
    return t("privacy.kept_erased", span=full) if totals is None else _totals(totals.cover, full, t)


def _totals(cover: Cover, full: str, t: Wording) -> str:
    each = t(f"privacy_each.{cover.period.lower()}")
    facts = {"span": full, "totals": t(f"privacy_method_of.{cover.method.value}", each=each)}
    if not cover.keep_totals:
        return t("privacy.kept_totals", **facts)
    return t("privacy.kept_totals_until", until=span(cover.keep_totals, t), **facts)


def names(purposes: Sequence[Purpose], t: Wording) -> Mapping[str, str]:
    """By id."""
    return {one.id: said(one.name, t) for one in purposes}

"""What may be said of a purpose, and of who answers for a tenant's data."""

import re
from collections.abc import Iterable

import msgspec

from parvis.access.privacy.model import Cover, Policy, Purpose, Then
from parvis.access.privacy.periods import PERIODS
from parvis.access.roles.checks import check_area
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import Duration, parse_duration

MOST_PURPOSES = 100
MOST_COVERS = 50
MOST_ATTRIBUTES = 100
LONGEST_TEXT = 2_000
LANGUAGES = ("en", "fr")
RECORDS = ("accounts", "sessions", "keys", "audit", "incidents")
"""What the platform itself holds of people, beside entities."""
_LONGEST_MONTHS = 12 * 200
_ID = re.compile(r"[a-z][a-z0-9-]{1,39}")
_LOCAL = re.compile(r"\w[\w-]{0,99}")


def check_purpose(purpose: Purpose) -> None:
    """Raises BadRequestData."""
    if _ID.fullmatch(purpose.id) is None:
        raise BadRequestData("A purpose's short name has 2 to 40 small letters, digits and -.", rule="purpose-id")
    one = purpose
    for words in (one.name, one.description, one.service, one.subjects, one.recipients, one.transfers):
        if not words.keys() <= set(LANGUAGES) or any(len(text) > LONGEST_TEXT for text in words.values()):
            raise BadRequestData(f"Texts are in en and fr, of at most {LONGEST_TEXT} characters.", rule="purpose-text")
    if not any(text.strip() for text in purpose.name.values()):
        raise BadRequestData("A purpose has a name.", rule="purpose-name")
    if not set(purpose.records) <= set(RECORDS):
        raise BadRequestData(f"Records of the platform are {', '.join(RECORDS)}.", rule="purpose-records")
    if len(purpose.covers) > MOST_COVERS:
        raise BadRequestData(f"A purpose has at most {MOST_COVERS} covers.", rule="purpose-covers")
    for cover in purpose.covers:
        check_cover(cover)


def check_cover(cover: Cover) -> None:
    """Raises BadRequestData."""
    names = (cover.type, *cover.attributes)
    if not 1 <= len(cover.attributes) <= MOST_ATTRIBUTES or any(_LOCAL.fullmatch(one) is None for one in names):
        raise BadRequestData("Name a type and its attributes, such as Person and email.", rule="purpose-names")
    check_area((), cover.scopes)
    keep = read_keep(cover.keep)
    if cover.then is Then.ERASE:
        return
    if cover.period not in PERIODS:
        raise BadRequestData(f"A period is one of {', '.join(PERIODS)}.", rule="purpose-period")
    if cover.keep_totals and read_keep(cover.keep_totals).span <= keep.span:
        raise BadRequestData("Totals are kept for longer than what they are made of.", rule="purpose-totals")


def read_keep(text: str) -> Duration:
    """Raises BadRequestData."""
    try:
        keep = parse_duration(text)
    except (ValueError, OverflowError):
        keep = Duration((0, 0))
    if keep.span <= 0 or keep.months > _LONGEST_MONTHS or keep.span > Duration((_LONGEST_MONTHS, 0)).span:
        raise BadRequestData("How long something is kept is written as P30D, P13M or P5Y.", rule="purpose-keep")
    return keep


def check_policy(policy: Policy) -> None:
    """Raises BadRequestData."""
    texts: Iterable[object] = msgspec.structs.astuple(policy)
    if any(isinstance(one, str) and len(one) > LONGEST_TEXT for one in texts):
        raise BadRequestData(f"A text has at most {LONGEST_TEXT} characters.", rule="purpose-text")

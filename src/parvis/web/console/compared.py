"""What a chart is held against: another attribute, another object, or what was a day, a week or a year before.

In an address it is `with=attribute~entity~shift`; the last two may be empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.datastructures import QueryParams

from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import DAY, Instant

SHIFTS: Mapping[str, Instant] = {"": 0, "day": DAY, "week": 7 * DAY, "year": 364 * DAY}
"""A year of whole weeks: a Monday is held against a Monday."""
MOST = 4
"""Beside the one that is asked about: five by colour are told apart, more are not."""
_APART = "~"


@dataclass(frozen=True, slots=True)
class Compared:
    attribute: str
    entity_id: str
    shift: str

    @property
    def text(self) -> str:
        return _APART.join((self.attribute, self.entity_id, self.shift))

    @property
    def address(self) -> str:
        """Of its columns, but for the range."""
        query = {"attr": self.attribute, **({"shift": self.shift} if self.shift else {}), "full": "1"}
        return f"/console/entities/{quote(self.entity_id, safe=':')}/series.json?{urlencode(query)}"


def read_compared(query: QueryParams, own_id: str) -> list[Compared]:
    """What cannot be read is left out: an address may be old, or typed."""
    found = [one for text in query.getlist("with") if (one := _read(text, own_id)) is not None]
    if query.get("with_attr"):
        shift = query.get("with_shift", "")
        entity_id = query.get("with_entity") or own_id
        found.append(Compared(query["with_attr"], entity_id, shift if shift in SHIFTS else ""))
    return list(dict.fromkeys(found))[:MOST]


def _read(text: str, own_id: str) -> Compared | None:
    parts = text.split(_APART)
    if len(parts) != 3 or not parts[0] or parts[2] not in SHIFTS:
        return None
    return Compared(parts[0], parts[1] or own_id, parts[2])


def shift_of(query: QueryParams) -> Instant:
    """Raises BadRequestData."""
    shift = query.get("shift", "")
    if shift not in SHIFTS:
        raise BadRequestData(f"shift is one of {', '.join(one for one in SHIFTS if one)}.")
    return SHIFTS[shift]


def query_of(compared: Sequence[Compared], **more: str) -> str:
    return urlencode([*more.items(), *(("with", one.text) for one in compared)])

"""An alarm: what a rule has found of an object, and what people did about it.

Everything here is told by one writer alone, a rule or a person, so that two who write at once lose nothing of each
other; the state is made of it (`life.state_of`).
"""

from enum import Enum
from hashlib import blake2b

import msgspec

from parvis.broker.model.entity import Json
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError
from parvis.kernel.time import Instant

_ID_PREFIX = "urn:ngsi-ld:Alert:"
_DIGEST_BYTES = 16


class AlarmNotFound(ParvisError):
    type_uri = PARVIS_ERRORS + "alarm-not-found"
    title = "There is no such alarm"
    status = 404


class NotInThisState(ParvisError):
    """`state` is the alarm's, `possible` the verbs that it takes in it."""

    type_uri = PARVIS_ERRORS + "alarm-not-in-this-state"
    title = "The alarm is in another state"
    status = 409


class State(Enum):
    """ANSI/ISA-18.2-2016, 4.4 and figure 3."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned-unacknowledged"
    LATCHED = "latched"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out-of-service"


class Consequence(Enum):
    """What happens where nobody does anything, the least first."""

    MINOR = "minor"
    MODERATE = "moderate"
    MAJOR = "major"
    SEVERE = "severe"


class Urgency(Enum):
    """How long there is to do something, the longest first: days, a day, an hour, minutes."""

    WEEK = "week"
    DAY = "day"
    HOUR = "hour"
    NOW = "now"


class Priority(Enum):
    """The lowest first; in the words that `severity` has in the Smart Data Models."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Rationalization(msgspec.Struct, frozen=True):
    """Why a rule raises alarms and of what weight (ISA-18.2, clause 9). With `latches` an alarm stays until somebody
    has cleared it, though its cause be gone."""

    title: str
    consequence: Consequence
    urgency: Urgency
    latches: bool = False
    category: str = ""


class Finding(msgspec.Struct, frozen=True):
    """What a rule has made out of an object: that its condition holds, or does not, since when, and by which values."""

    rule_id: str
    entity_id: str
    is_true: bool
    since: Instant
    values: dict[str, Json] = {}

    @property
    def alarm_id(self) -> str:
        return alarm_id(self.rule_id, self.entity_id)


class Deed(msgspec.Struct, frozen=True):
    """Who did it, when and why. `occurrence` is the one that was meant, as `Alarm.occurred_at` numbers them."""

    by: str
    at: Instant
    why: str = ""
    occurrence: Instant = 0


class Hold(msgspec.Struct, frozen=True):
    """That an alarm is kept from the list, or no longer; the last who decided so. `until` None: until somebody ends
    it."""

    is_on: bool
    by: str
    at: Instant
    why: str = ""
    until: Instant | None = None

    def holds(self, now: Instant) -> bool:
        return self.is_on and (self.until is None or now < self.until)


class Alarm(msgspec.Struct, frozen=True):
    """`since` is when its condition last turned, `occurred_at` when it last began to hold: 0, it never did."""

    rule_id: str
    entity_id: str
    about: Rationalization
    is_active: bool = False
    since: Instant = 0
    occurred_at: Instant = 0
    values: dict[str, Json] = {}
    acknowledged: Deed | None = None
    cleared: Deed | None = None
    shelved: Hold | None = None
    suppressed: Hold | None = None
    out_of_service: Hold | None = None

    @property
    def id(self) -> str:
        return alarm_id(self.rule_id, self.entity_id)

    @property
    def is_acknowledged(self) -> bool:
        return self.acknowledged is not None and self.acknowledged.occurrence == self.occurred_at

    @property
    def is_cleared(self) -> bool:
        return self.cleared is not None and self.cleared.occurrence == self.occurred_at


def alarm_id(rule_id: str, entity_id: str) -> str:
    """The same for the same rule and object, so that raising twice is raising once."""
    told = f"{len(rule_id)}:{rule_id}{entity_id}".encode()
    return _ID_PREFIX + blake2b(told, digest_size=_DIGEST_BYTES).hexdigest()

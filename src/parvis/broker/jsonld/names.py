"""What may be a name or a URI in NGSI-LD (1.9.1, 4.6.2 and 4.6.1)."""

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from parvis.kernel.errors import BadRequestData

MAX_NAME_LENGTH: Final = 512
MAX_URI_LENGTH: Final = 2048

Key = TypeVar("Key")
Value = TypeVar("Value")

_FORBIDDEN_IN_NAMES = re.compile(r"""[\x00-\x20\x7f<>"'`=;,()\[\]{}|\\^]""")
_INVISIBLE = (
    "\u00a0\u00ad\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202f\u2060-\u206f\u2800\u3164\ufdd0-\ufdef"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 17))
)
"""Characters that nobody sees, by which one identifier could pass for another (4.5.1)."""
_URI = re.compile(rf"[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20\x7f<>\"{{}}|\\^`{_INVISIBLE}]+\Z")

is_uri = _URI.match
"""Truthy for an absolute URI (RFC 3986) or IRI; it does not look at the length."""


class Memo(dict[Key, Value], Generic[Key, Value]):
    """A memory of what `make` gave, read at the speed of a dict and emptied when full, so that names which users
    invent cannot fill the process."""

    __slots__ = ("_bound", "_make")

    def __init__(self, make: Callable[[Key], Value], bound: int = 2048) -> None:
        super().__init__()
        self._make = make
        self._bound = bound

    def __missing__(self, key: Key) -> Value:
        made = self._make(key)
        if len(self) >= self._bound:
            self.clear()
        self[key] = made
        return made


class Recent(Generic[Key, Value]):
    """The values used last, as many as their costs together stay within `max_cost`."""

    __slots__ = ("_costs", "_held", "_max_cost", "_total")

    def __init__(self, max_cost: int) -> None:
        self._held: OrderedDict[Key, Value] = OrderedDict()
        self._costs: dict[Key, int] = {}
        self._max_cost = max_cost
        self._total = 0

    def find(self, key: Key) -> Value | None:
        found = self._held.get(key)
        if found is not None:
            self._held.move_to_end(key)
        return found

    def put(self, key: Key, value: Value, cost: int) -> None:
        self.drop(key)
        self._held[key] = value
        self._costs[key] = cost
        self._total += cost
        while self._total > self._max_cost and len(self._held) > 1:
            self.drop(next(iter(self._held)))

    def drop(self, key: Key) -> None:
        if key in self._held:
            del self._held[key]
            self._total -= self._costs.pop(key)

    def clear(self) -> None:
        self._held.clear()
        self._costs.clear()
        self._total = 0


def check_name(name: str) -> str:
    """Raises BadRequestData for what can be no attribute or type name."""
    if not name or len(name) > MAX_NAME_LENGTH or name[0] == "@":
        raise BadRequestData(f"{name[:80]!r} is no name: it takes 1 to {MAX_NAME_LENGTH} characters, no @ first.")
    if not name[0].isalpha():
        raise BadRequestData(f"The name {name[:80]!r} must begin with a letter.")
    found = _FORBIDDEN_IN_NAMES.search(name)
    if found is not None:
        raise BadRequestData(f"The name {name[:80]!r} must not hold {found.group()!r}.")
    return name


def check_uri(uri: object, what: str) -> str:
    """Raises BadRequestData unless `uri` is an absolute URI."""
    if type(uri) is not str or not is_uri(uri) or len(uri) > MAX_URI_LENGTH:
        shown = repr(uri)[:120]
        raise BadRequestData(f"{what} must be a URI such as urn:ngsi-ld:Building:town-hall, not {shown}.")
    return uri

"""How long instances are kept, by type and attribute."""

from collections.abc import Sequence

import msgspec

from parvis.broker.model.entity import Iri

ALL_OTHERS = "*"
"""In a list of attributes: all that no rule names."""


class KeepRule(msgspec.Struct, frozen=True):
    """Instances of entities of `type` are kept for `days`; with `attribute`, those of that one."""

    type: Iri
    attribute: Iri | None
    days: int


class Expiry(msgspec.Struct, frozen=True):
    """What of a day is past its time: attributes, or ALL_OTHERS, and of all others but `kept`."""

    attributes: tuple[Iri, ...] = ()
    kept: tuple[Iri, ...] = ()

    @property
    def of_everything(self) -> bool:
        return ALL_OTHERS in self.attributes and not self.kept

    def covers(self, attribute: Iri) -> bool:
        return attribute in self.attributes or (ALL_OTHERS in self.attributes and attribute not in self.kept)

    def includes(self, other: "Expiry") -> bool:
        """Whether this covers everything that the other does."""
        named = all(self.covers(one) for one in other.attributes if one != ALL_OTHERS)
        if ALL_OTHERS not in other.attributes:
            return named
        return named and ALL_OTHERS in self.attributes and set(self.kept) <= set(other.kept)


NO_EXPIRY = Expiry()


class Retention(msgspec.Struct, frozen=True):
    """Without a rule, for ever. A rule for an attribute goes before the one for its type.

    An entity of several types keeps what any of them keeps.
    """

    rules: tuple[KeepRule, ...] = ()

    def expiry(self, types: Sequence[Iri], age_days: int) -> Expiry:
        """Of a day that was `age_days` ago."""
        rules = [rule for rule in self.rules if rule.type in types]
        if not rules:
            return NO_EXPIRY
        named = sorted({rule.attribute for rule in rules if rule.attribute is not None})
        gone = [name for name in named if self._is_expired(types, name, age_days)]
        others = (ALL_OTHERS,) if self._is_expired(types, None, age_days) else ()
        return Expiry((*others, *gone), tuple(name for name in named if name not in gone) if others else ())

    def _is_expired(self, types: Sequence[Iri], attribute: Iri | None, age_days: int) -> bool:
        return all((kept := self._days(one, attribute)) is not None and age_days > kept for one in types)

    def _days(self, of_type: Iri, attribute: Iri | None) -> int | None:
        found = {rule.attribute: rule.days for rule in self.rules if rule.type == of_type}
        return found.get(attribute, found.get(None))

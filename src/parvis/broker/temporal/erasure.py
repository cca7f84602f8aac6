"""What is to be forgotten of an entity's past, and what is to be put right."""

import msgspec

from parvis.broker.model.entity import Instance, Iri
from parvis.kernel.time import Instant

EVERY_DATASET = None


class Erasure(msgspec.Struct, frozen=True):
    """What is to be forgotten of one entity: everything, or what matches every member given.

    `dataset` is "" for the default instance, None for all; `seq` numbers one instance of `attribute`; `since` and
    `before` are times as in Window.
    """

    entity_id: str
    attribute: Iri | None = None
    dataset: str | None = EVERY_DATASET
    seq: int | None = None
    before: Instant | None = None
    since: Instant | None = None

    def covers(self, attribute: Iri, dataset: str, seq: int, time: Instant) -> bool:
        return (
            (self.attribute is None or attribute == self.attribute)
            and (self.dataset is None or dataset == self.dataset)
            and (self.seq is None or seq == self.seq)
            and (self.before is None or time < self.before)
            and (self.since is None or time >= self.since)
        )

    def of_instance(self, instance: Instance) -> "Erasure":
        """Of that one, with all that tells where it lies: only its own day is made anew."""
        at = instance.seen_at
        return Erasure(self.entity_id, instance.name, instance.dataset, instance.seq, before=at + 1, since=at)


class Correction(msgspec.Struct, frozen=True):
    """What is wrong with instance `seq` of an attribute: `given` is merged into it, as PATCH_ATTRIBUTE does into the
    present."""

    entity_id: str
    seq: int
    given: Instance
    is_kind_open: bool = False

"""What is to be forgotten of an entity's past."""

import msgspec

from parvis.broker.model.entity import Iri
from parvis.kernel.time import Instant

EVERY_DATASET = None


class Erasure(msgspec.Struct, frozen=True):
    """What is to be forgotten of one entity: everything, or what matches every member given.

    `dataset` is "" for the default instance, None for all; `seq` numbers one instance; `before` is a time as in
    Window.
    """

    entity_id: str
    attribute: Iri | None = None
    dataset: str | None = EVERY_DATASET
    seq: int | None = None
    before: Instant | None = None

    def covers(self, attribute: Iri, dataset: str, seq: int, time: Instant) -> bool:
        return (
            (self.attribute is None or attribute == self.attribute)
            and (self.dataset is None or dataset == self.dataset)
            and (self.seq is None or seq == self.seq)
            and (self.before is None or time < self.before)
        )

"""Years of old series for entities that are known: brought as columns, straight into the files of closed days.

The present stays as it is, and no event tells of what is brought.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from parvis.broker.model.entity import AttributeKey, Iri, Json, Kind
from parvis.kernel.errors import BadRequestData, ParvisError


class PastNotTaken(ParvisError):
    """This installation keeps no archive, so the past can only be written instance by instance."""

    title: ClassVar[str] = "There is no archive to bring the past into"
    status = 409


class OldSeries(NamedTuple):
    """What is the same for many observations; `extra` are sub-attributes, normalized and expanded, such as where they
    come from. The same series may be given more than once, each time with another `extra`.
    """

    entity_id: str
    attribute: Iri
    dataset: str = ""
    kind: Kind = Kind.PROPERTY
    unit: str = ""
    extra: Mapping[str, Json] | None = None

    @property
    def key(self) -> AttributeKey:
        return self.attribute, self.dataset


class OldObservations(msgspec.Struct, frozen=True):
    """Observation i is of `series[of[i]]`, observed at `times[i]` (microseconds since the Unix epoch), with
    `values[i]`: float64, int64, bool, or str in an array of objects. In any order.

    Where there are `texts`, an array of objects beside numbers, each that is not None stands in place of the number.
    A text of a GeoProperty is its geometry as GeoJSON.
    """

    series: Sequence[OldSeries]
    of: NDArray[np.int32]
    times: NDArray[np.int64]
    values: NDArray[Any]
    texts: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if not len(self.of) == len(self.times) == len(self.values):
            raise BadRequestData("The columns of old observations are to be of the same length.")
        if len(self.of) and not 0 <= int(self.of.min()) <= int(self.of.max()) < len(self.series):
            raise BadRequestData("An old observation is of no series that is given.")
        if self.values.dtype.kind not in "fibO":
            raise BadRequestData("The values of old observations are to be numbers, truth values or texts.")
        if self.texts is not None and (self.values.dtype.kind not in "fib" or len(self.texts) != len(self.values)):
            raise BadRequestData("Texts of old observations stand beside as many numbers.")

    def __len__(self) -> int:
        return len(self.of)


class Brought(msgspec.Struct, frozen=True):
    """What became of the observations: those left alone because history has one of that series and time, those of
    entities that are not known, of days that are not over, past the time that they are kept for, or no number.
    """

    written: int = 0
    files: int = 0
    stored_before: int = 0
    unknown: int = 0
    not_over: int = 0
    expired: int = 0
    unusable: int = 0

    def __add__(self, other: "Brought") -> "Brought":
        return Brought(*map(sum, zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)))


class PastIntake(Protocol):
    async def bring(self, tenant: str, old: OldObservations) -> Brought:
        """Once it returns all of it is durable. Each file of a day is there whole or not at all, so that what was
        stopped on the way is brought by bringing it again.

        Raises:
            PastNotTaken: nothing is archived here.
            ArchiveUnreachable, ArchiveOwned, ArchiveDamaged, EngineExhausted, Overloaded
        """
        ...

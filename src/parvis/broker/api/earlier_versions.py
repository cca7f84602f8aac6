"""Answers for readers who know an earlier version of NGSI-LD only (NGSI-LD 1.9.1, 4.3.6.8; RFC 7240).

What their version has no name for is told as a Property where a Property can hold it. ListRelationships, for which
there is no such form, stay as they are.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from parvis.broker.api.request import Request
from parvis.broker.api.responses import Response
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.render import outward_value
from parvis.broker.model.entity import Entity, Instance, Kind

Version = tuple[int, int]

_WISH = re.compile(rb'(?:^|[,;])\s*ngsi-ld\s*=\s*"?(\d{1,3})\.(\d{1,3})"?\s*(?:$|[,;])')
_SINCE: Final[Mapping[Kind, Version]] = {
    Kind.VOCAB_PROPERTY: (1, 8),
    Kind.JSON_PROPERTY: (1, 8),
    Kind.LIST_PROPERTY: (1, 8),
    Kind.LANGUAGE_PROPERTY: (1, 4),
}


class Wish(msgspec.Struct, frozen=True):
    """The version that a reader understands."""

    version: Version

    def amend(self, entities: Sequence[Entity], context: Context) -> Sequence[Entity]:
        """The same entities where nothing in them is newer."""
        amended = [self._amended(one, context) for one in entities]
        return entities if all(one is other for one, other in zip(amended, entities, strict=True)) else amended

    def noted(self, response: Response, *, is_amended: bool) -> Response:
        major, minor = self.version
        status = 203 if is_amended and response.status == 200 else response.status
        applied = (b"preference-applied", b"ngsi-ld=%d.%d" % (major, minor))
        return replace(response, status=status).with_headers(applied)

    def _amended(self, entity: Entity, context: Context) -> Entity:
        if not any(self._is_newer(one) for one in entity.instances):
            return entity
        instances = tuple(_as_property(one, context) if self._is_newer(one) else one for one in entity.instances)
        return replace(entity, instances=instances, rendered={})

    def _is_newer(self, instance: Instance) -> bool:
        return _SINCE.get(instance.kind, (1, 0)) > self.version


def find_wish(request: Request) -> Wish | None:
    """What the Prefer header says of the version."""
    header = request.headers.get(b"prefer")
    found = None if header is None else _WISH.search(header)
    return None if found is None else Wish((int(found[1]), int(found[2])))


def _as_property(instance: Instance, context: Context) -> Instance:
    return replace(instance, kind=Kind.PROPERTY, value=outward_value(instance.kind, instance.value, context))

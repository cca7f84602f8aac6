"""Answers for readers who know an earlier version of NGSI-LD only (NGSI-LD 1.9.1, 4.3.6.8; RFC 7240)."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from parvis.broker.api.preference import preferred_version
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Response
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.earlier_versions import Version, amended, read_version
from parvis.broker.model.entity import Entity


class Wish(msgspec.Struct, frozen=True):
    """The version that a reader understands."""

    version: Version

    def amend(self, entities: Sequence[Entity], context: Context) -> Sequence[Entity]:
        """The same entities where nothing in them is newer."""
        changed = [amended(one, self.version, context) for one in entities]
        return entities if all(one is other for one, other in zip(changed, entities, strict=True)) else changed

    def noted(self, response: Response, *, is_amended: bool) -> Response:
        major, minor = self.version
        status = 203 if is_amended and response.status == 200 else response.status
        applied = (b"preference-applied", b"ngsi-ld=%d.%d" % (major, minor))
        return replace(response, status=status).with_headers(applied)


def find_wish(request: Request) -> Wish | None:
    """What the Prefer header says of the version."""
    version = preferred_version(request)
    return None if version is None else Wish(read_version(version))

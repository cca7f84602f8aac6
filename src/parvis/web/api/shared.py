"""What the parts of the typed API share."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel

from parvis.fleet.model.refusal import Refused
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller, Right
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of

MOST_AT_ONCE = 1_000
SiteOf = Annotated[Site, Depends(site_of)]
CallerOf = Annotated[Caller, Depends(caller_of)]
ONE_DEVICE: Mapping[str, Any] = {"examples": ["70b3d5499e000001"], "description": "Hardware id, or the entity's id"}


class RefusedOut(BaseModel):
    reason: str
    detail: str = ""

    @classmethod
    def of(cls, refused: Refused | None) -> "RefusedOut | None":
        return None if refused is None else cls(reason=refused.reason.value, detail=refused.detail)


def check_administers(caller: Caller) -> None:
    if not caller.may(Right.ADMINISTER):
        raise Forbidden("Keys of devices are for administrators.")

"""Where The Things Stack takes commands; without it there are none over HTTP."""

from typing import Annotated

import msgspec


class ThingsStackConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url` is the cluster's address, as `https://eu1.cloud.thethings.network`; `api_key` has the right
    RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE. Commands go to the applications of `tenants` of Parvis only."""

    url: Annotated[str, msgspec.Meta(pattern="^(https?://[^/ ]+)?$")] = ""
    api_key: str = ""
    tenants: tuple[str, ...] = ("default",)

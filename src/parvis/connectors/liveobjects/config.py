"""Where Live Objects takes commands, and by which key; without it there are none."""

from typing import Annotated

import msgspec


class LiveObjectsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`api_key` has the roles of a device manager. Commands of `tenants` of Parvis use it."""

    url: Annotated[str, msgspec.Meta(pattern="^https?://[^/ ]+$")] = "https://liveobjects.orange-business.com"
    api_key: str = ""
    tenants: tuple[str, ...] = ("default",)

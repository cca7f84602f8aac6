"""`[connectors.httppush]`: how much may come at once, and of one key."""

from typing import Annotated

import msgspec


class HttpPushConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key may push `burst` items at once, and `items_per_s` in the long run."""

    unpacked_limit_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1 << 28)] = 16_777_216
    items_per_s: Annotated[float, msgspec.Meta(gt=0)] = 500.0
    burst: Annotated[int, msgspec.Meta(ge=1)] = 20_000

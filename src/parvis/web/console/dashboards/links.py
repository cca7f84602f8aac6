"""The public links of dashboards: secrets, so that they are not in the entities, which whoever may read can read."""

from collections.abc import Collection
from secrets import compare_digest, token_urlsafe

from parvis.kernel.shelf import Box, Place, Shelf

BOX = "dashboards/links"
_LINK_BYTES = 24


class Links:
    """By the short ids of their dashboards, of one tenant each."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def read(self, tenant: str) -> dict[str, str]:
        held = await self._shelf.read(Place(Box(tenant, BOX), b""))
        return {short.decode(): link.decode() for short, link in held.items()}

    async def find(self, tenant: str, link: str) -> str | None:
        """The dashboard that it leads to."""
        held = await self.read(tenant)
        return next((one for one, kept in held.items() if compare_digest(kept.encode(), link.encode())), None)

    async def offer(self, tenant: str, short: str) -> None:
        """The one there is stays."""
        if short not in await self.read(tenant):
            place = Place(Box(tenant, BOX), short.encode())
            await self._shelf.change((), {place: token_urlsafe(_LINK_BYTES).encode()}, ())

    async def take_back(self, tenant: str, shorts: Collection[str]) -> None:
        if shorts:
            await self._shelf.change((), {}, [Place(Box(tenant, BOX), one.encode()) for one in shorts])

"""An erasure, carried out: what was found goes, in an order in which it can be begun anew wherever it was stopped.

Whatever is gone already is passed over, so that doing all of it twice is doing it once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from parvis.access.accounts import Accounts
from parvis.access.ports import AccessStore
from parvis.access.privacy.person.found import Fate, Found
from parvis.access.privacy.person.found import Place as At
from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode
from parvis.broker.ports.records import Records
from parvis.broker.ports.store import Store
from parvis.broker.temporal.erasure import Erasure
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.identity import system_caller
from parvis.kernel.shelf import Box, Place

AT_ONCE: Final = 500
PART: Final = "privacy"
_RECORDS: Final = {
    At.REFUSED_FRAME: Records.REFUSED_FRAMES,
    At.FRAME: Records.FRAMES,
    At.UNDELIVERED: Records.UNDELIVERED,
}
Item = TypeVar("Item")
ListFound = Callable[[], Iterable[Found]]
Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Eraser:
    """`drop_file` takes away one of the files that were found, by its id; `on_change` follows a change of rights."""

    broker: Broker
    store: Store
    access: AccessStore
    accounts: Accounts
    on_change: Callable[[], None]
    drop_file: Callable[[str, str], None]

    async def erase(self, tenant: str, list_found: ListFound, tell: Tell) -> None:
        """Raises BadRequestData where nobody could administer the platform afterwards."""

        def going(*places: At) -> Iterator[Found]:
            return (one for one in list_found() if one.fate is Fate.GOES and one.place in places)

        check_somebody_administers(self.accounts, tenant, list_found())
        tell("objects", 0.1)
        await self._drop_subscriptions(tenant, going(At.SUBSCRIPTION))
        await self._change_present(tenant, going(At.OBJECT, At.VALUE))
        tell("history", 0.3)
        if self.broker.subscriptions.catch_up is not None:
            await self.broker.subscriptions.catch_up()
        await self._erase_past(tenant, going(At.OBJECT, At.PAST))
        tell("records", 0.7)
        await self._drop_records(tenant, going(*_RECORDS))
        await self._clear_shelf(tenant, going(At.RECORD))
        for file in going(At.FILE):
            self.drop_file(tenant, file.id)
        tell("accounts", 0.9)
        self._drop_proofs(going(At.ACCOUNT, At.KEY))

    async def _drop_subscriptions(self, tenant: str, found: Iterable[Found]) -> None:
        for one in found:
            with suppress(ResourceNotFound):
                await self.broker.subscriptions.delete(system_caller(PART, tenant), one.id)

    async def _change_present(self, tenant: str, found: Iterable[Found]) -> None:
        """Whoever subscribed is told that it is gone (GDPR Art. 19)."""
        caller = system_caller(PART, tenant)
        for batch in in_batches(found):
            await self.broker.write(caller, [change_of(one) for one in batch if not one.is_deleted])

    async def _erase_past(self, tenant: str, found: Iterable[Found]) -> None:
        for one in found:
            with suppress(ResourceNotFound):
                await self.store.erase(tenant, erasure_of(one))

    async def _drop_records(self, tenant: str, found: Iterable[Found]) -> None:
        for batch in in_batches(found):
            for place, kind in _RECORDS.items():
                keys = [one.id for one in batch if one.place is place]
                if keys:
                    await self.store.records.drop(tenant, kind, keys)

    async def _clear_shelf(self, tenant: str, found: Iterable[Found]) -> None:
        for batch in in_batches(found):
            drops = [Place(Box(tenant, one.attribute), bytes.fromhex(one.id)) for one in batch]
            await self.store.shelf.change((), {}, drops)

    def _drop_proofs(self, found: Iterable[Found]) -> None:
        going = list(found)
        with self.access.transaction():
            for one in going:
                drop = self.access.persons.drop_account if one.place is At.ACCOUNT else self.access.persons.drop_key
                drop(one.id)
        if going:
            self.on_change()


def change_of(found: Found) -> Change:
    if found.of_person:
        return Change(found.id, Mode.DELETE)
    return Change(found.id, Mode.DELETE_ATTRIBUTE, removals=((found.attribute, found.dataset),))


def erasure_of(found: Found) -> Erasure:
    if found.of_person:
        return Erasure(found.id)
    at = found.at or 0
    return Erasure(found.id, found.attribute, found.dataset, found.seq, before=at + 1, since=at)


def check_somebody_administers(accounts: Accounts, tenant: str, going: Iterable[Found]) -> None:
    """Raises BadRequestData."""
    names = {one.id for one in going if one.place is At.ACCOUNT and one.fate is Fate.GOES}
    able = accounts.list_administrators(tenant)
    if names and able and names.issuperset(able):
        raise BadRequestData(
            "This is the account of the only administrator: make another one first.", rule="person-last-administrator"
        )


def in_batches(items: Iterable[Item], size: int = AT_ONCE) -> Iterator[Sequence[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch

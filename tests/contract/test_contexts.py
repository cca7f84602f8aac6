"""Every tenant lists the @contexts that it has used, whoever made this process fetch them (NGSI-LD 1.9.1, 5.13)."""

import asyncio

import pytest

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.kept import KeptContexts
from parvis.broker.ports.store import Store
from parvis.kernel.errors import LdContextNotAvailable
from parvis.kernel.identity import DEFAULT_TENANT
from tests.contract.territory import Ticking

TOWN = "https://town.example/context.jsonld"
MINE, THEIRS = DEFAULT_TENANT, "neighbour"


class Web:
    """Nothing is had from it while it `is_away`."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False

    async def fetch(self, url: str) -> bytes:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise OSError("nobody there")
        return b'{"@context": {"fillLevel": "https://town.example/fillLevel"}}'


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
async def contexts(store: Store, web: Web, clock: Ticking) -> Contexts:
    await store.add_tenant(THEIRS)
    return begin(store, web, clock)


def begin(store: Store, web: Web, clock: Ticking) -> Contexts:
    """As a process does."""
    return Contexts(web.fetch, KeptContexts(store.shelf, clock))


async def listed(contexts: Contexts, tenant: str) -> list[tuple[str, int]]:
    assert contexts.kept is not None
    return [(one.url, one.hits) for one in await contexts.kept.list(tenant)]


async def use(contexts: Contexts, tenant: str) -> None:
    """As each request does."""
    if contexts.find(TOWN, tenant) is None:
        await contexts.resolve(TOWN, tenant)


async def test_what_one_tenant_fetched_stands_in_the_list_of_the_next_that_uses_it(
    contexts: Contexts, web: Web
) -> None:
    await use(contexts, MINE)
    assert await listed(contexts, THEIRS) == []

    await use(contexts, THEIRS)
    await use(contexts, THEIRS)

    assert await listed(contexts, MINE) == [(TOWN, 1)]
    assert await listed(contexts, THEIRS) == [(TOWN, 2)]
    assert web.asked == 1


async def test_tenants_that_ask_at_the_same_time_have_it_fetched_once_and_listed_each(
    contexts: Contexts, web: Web
) -> None:
    await asyncio.gather(*(use(contexts, tenant) for tenant in (MINE, THEIRS, MINE, THEIRS)))

    assert await listed(contexts, MINE) == [(TOWN, 2)]
    assert await listed(contexts, THEIRS) == [(TOWN, 2)]
    assert web.asked == 1


async def test_the_uses_of_each_outlive_the_process(contexts: Contexts, store: Store, web: Web, clock: Ticking) -> None:
    for tenant in (MINE, THEIRS, THEIRS):
        await use(contexts, tenant)
    assert contexts.kept is not None
    await contexts.kept.save()
    web.is_away = True

    later = begin(store, web, clock)

    assert await listed(later, THEIRS) == [(TOWN, 2)]
    await use(later, THEIRS)
    assert await listed(later, THEIRS) == [(TOWN, 3)]
    assert await listed(later, MINE) == [(TOWN, 1)]


async def test_one_that_has_it_is_not_kept_from_it_by_one_that_has_it_not(
    contexts: Contexts, store: Store, web: Web, clock: Ticking
) -> None:
    await use(contexts, THEIRS)
    web.is_away = True
    later = begin(store, web, clock)

    answers = await asyncio.gather(*(use(later, tenant) for tenant in (MINE, THEIRS)), return_exceptions=True)

    assert answers[0] is None or isinstance(answers[0], LdContextNotAvailable), "it may be there already for both"
    assert answers[1] is None


async def test_what_a_tenant_has_deleted_is_listed_again_with_the_next_use(contexts: Contexts) -> None:
    for tenant in (MINE, THEIRS):
        await use(contexts, tenant)
    assert contexts.kept is not None
    [one] = await contexts.kept.list(THEIRS)

    await contexts.kept.drop(THEIRS, one.local_id)
    assert await listed(contexts, THEIRS) == []
    await use(contexts, THEIRS)

    assert await listed(contexts, THEIRS) == [(TOWN, 1)]
    assert await listed(contexts, MINE) == [(TOWN, 1)]


async def test_what_another_process_deleted_is_missed_when_uses_are_written_down(
    contexts: Contexts, store: Store, web: Web, clock: Ticking
) -> None:
    await use(contexts, MINE)
    assert contexts.kept is not None
    [one] = await contexts.kept.list(MINE)
    elsewhere = begin(store, web, clock)
    assert elsewhere.kept is not None
    await elsewhere.kept.drop(MINE, one.local_id)

    await contexts.kept.save()
    await use(contexts, MINE)

    assert await listed(contexts, MINE) == [(TOWN, 1)]


async def test_a_tenant_that_is_not_there_yet_is_noted_with_its_first_use_after_it_is(
    contexts: Contexts, store: Store
) -> None:
    await use(contexts, "newcomer")
    await store.add_tenant("newcomer")

    await use(contexts, "newcomer")

    assert [url for url, _ in await listed(contexts, "newcomer")] == [TOWN]

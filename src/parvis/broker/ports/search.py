"""Entities by the words that people know them by."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from parvis.broker.query.tree import TypeSelection
from parvis.kernel.reach import Reach


class WordQuery(msgspec.Struct, frozen=True):
    """Entities that have, for each of the `words` (folded: `search.words`), one that begins with it."""

    words: tuple[str, ...]
    types: TypeSelection | None = None
    limit: int = 20
    within: Reach = None


class WordsFound(NamedTuple):
    """The best first. `is_all` is False where there are more, or where the search was ended before it had seen all."""

    ids: tuple[str, ...]
    is_all: bool


class SearchIndex(Protocol):
    """Each commit notes which entities have other words now, in its own transaction; `work` takes that in."""

    async def find(self, tenant: str, query: WordQuery) -> WordsFound: ...

    async def list_begun(self, tenant: str, words: Sequence[str]) -> list[str]:
        """Those of these words (folded) that begin a word of the index, in any order."""
        ...

    async def list_referring(self, tenant: str, entity_id: str, limit: int, within: Reach = None) -> list[str]:
        """The ids of entities with a relationship to it, as far as `within` goes."""
        ...

    async def work(self, limit: int) -> int:
        """Take in what was noted of at most `limit` entities of any tenant; of how many it was. Once each, whoever
        works at the same time, and again after a crash."""
        ...

    async def is_behind(self) -> bool:
        """Whether something is noted."""
        ...

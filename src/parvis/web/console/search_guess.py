"""What somebody may have meant who found nothing: a word or two of theirs with one slip each."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import islice, product

from parvis.broker.search.slips import slips_of
from parvis.broker.search.words import fold
from parvis.kernel.identity import Caller
from parvis.web.site import Site

MOST_WORDS = 6
MOST_SLIPS = 2
MOST_READINGS = 3
"""Of one word."""
MOST_GUESSES = 4
_WORD = re.compile(r"[^\W_]+")


async def list_guesses(site: Site, caller: Caller, asked: Sequence[str], known: Collection[str]) -> list[str]:
    """The likeliest first. `known` are the words that the pages and kinds of objects are called by."""
    words = list(dict.fromkeys(asked))[:MOST_WORDS]
    strange = set(words) - await _begun(site, caller, words, known)
    slips = {word: slips_of(word) for word in strange}
    if not strange or len(strange) > MOST_SLIPS:
        return []
    real = await _begun(site, caller, [slip for some in slips.values() for slip in some], known)
    readings = [
        [word] if word not in strange else [one for one in slips[word] if one in real][:MOST_READINGS] for word in words
    ]
    return [" ".join(one) for one in islice(product(*readings), MOST_GUESSES)]


def in_whole_words(guess: str, asked: Collection[str], titles: Iterable[str]) -> str:
    """A guess of how words begin, as the titles of what it finds write them; what was typed so stays."""
    written = Counter(word for title in titles for word in _WORD.findall(title))
    return " ".join(part if part in asked else _whole(part, written) for part in guess.split())


def _whole(part: str, written: Counter[str]) -> str:
    begun = {word: count for word, count in written.items() if fold(word).startswith(part)}
    return max(begun, key=lambda word: begun[word], default=part)


async def _begun(site: Site, caller: Caller, words: Sequence[str], known: Collection[str]) -> set[str]:
    own = {word for word in words if any(one.startswith(word) for one in known)}
    return own | set(await site.platform.broker.list_begun(caller, words))

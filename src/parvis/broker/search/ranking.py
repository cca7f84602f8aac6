"""From words to the entities that fit best, within a bounded number of rows whatever is asked.

The word with the fewest rows leads; the text of each entity it leads to has to have the others. Where that would be
many, the two with the fewest rows are intersected first.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from parvis.broker.ports.search import WordsFound
from parvis.broker.search.text import lines_of

MOST_WORDS_ASKED = 6
FEW_ROWS = 1_000
"""That are looked at one by one."""
PLENTY = 10_000
"""Rows of a word that says next to nothing; where others have fewer, two of those are intersected."""
MOST_ROWS = 2_500
"""Looked at one by one where every word says next to nothing, of each rank."""
MOST_CANDIDATES = 300
RANKS = (0, 1)
AFTER_ALL = "\U0010ffff"


class Candidate(NamedTuple):
    id: str
    text: str


class Span(NamedTuple):
    """Words from `low` up to, and without, `high`."""

    low: str
    high: str


class Rows(Protocol):
    """A store's index, in one snapshot. Each of the `others` has to begin a word of a candidate's text."""

    def count(self, span: Span, most: int) -> int: ...

    def list_led(self, rank: int, span: Span, others: Sequence[str], most_rows: int, most: int) -> list[Candidate]:
        """Of the first `most_rows` of the span, each entity once."""
        ...

    def list_common(self, spans: Sequence[Span], most: int) -> list[int]:
        """The store's numbers of entities with a word in each span, of which each has at most `most` rows."""
        ...

    def list_among(self, entities: Sequence[int], others: Sequence[str], most: int) -> list[Candidate]: ...


def span_of(word: str) -> Span:
    return Span(word, word + AFTER_ALL)


def find_best(rows: Rows, asked: Sequence[str], limit: int) -> WordsFound:
    words = list(dict.fromkeys(asked))[:MOST_WORDS_ASKED]
    if not words:
        return WordsFound((), True)
    counts = {word: rows.count(span_of(word), PLENTY) for word in words}
    rarest = sorted(words, key=lambda word: (counts[word], -len(word)))
    found, is_whole = _candidates(rows, rarest, counts, limit)
    best = sorted(found.items(), key=lambda one: (*_distance(one[1], words), one[0]))
    return WordsFound(tuple(entity_id for entity_id, _ in best[:limit]), is_whole and len(best) <= limit)


def _candidates(rows: Rows, rarest: list[str], counts: Mapping[str, int], limit: int) -> tuple[dict[str, str], bool]:
    """Texts by id, and whether these are all there are."""
    lead, *others = rarest
    if others and counts[lead] >= FEW_ROWS and counts[others[0]] < PLENTY:
        both = rows.list_common([span_of(lead), span_of(others[0])], PLENTY)
        among = rows.list_among(both[:MOST_ROWS], others[1:], MOST_CANDIDATES)
        return dict(among), len(both) <= MOST_ROWS and len(among) < MOST_CANDIDATES
    found: dict[str, str] = {}
    is_whole = counts[lead] < FEW_ROWS
    for rank in RANKS:
        led = rows.list_led(rank, span_of(lead), others, MOST_ROWS, MOST_CANDIDATES)
        found |= led
        is_whole = is_whole and len(led) < MOST_CANDIDATES
        if len(found) > limit:
            break
    return found, is_whole


def _distance(text: str, words: Sequence[str]) -> tuple[int, int, str]:
    """How far the text is from being what was asked for."""
    title, marks, *_ = lines_of(text)
    phrase = "".join(f" {word}" for word in words)
    if title == phrase:
        return (0, 0, title)
    whole = sum(f"{word} " not in f"{text} ".replace("\n", " ") for word in words)
    return (next(_steps(title, marks, phrase, words)), whole, title)


def _steps(title: str, marks: str, phrase: str, words: Sequence[str]) -> Iterator[int]:
    if title.startswith(phrase):
        yield 1
    if all(f" {word}" in title for word in words):
        yield 2
    if all(f" {word}" in title + marks for word in words):
        yield 3
    yield 4

"""What somebody may have meant: the words one slip of the fingers away from what was typed."""

from collections.abc import Iterator, Sequence
from string import ascii_lowercase

SHORTEST = 4
"""Of fewer letters too many words are one slip away."""
LONGEST = 24


def slips_of(word: str) -> Sequence[str]:
    """The likeliest first: two letters the wrong way round, a wrong one, one too many, one too few. Nothing for what
    has a digit in it: a wrong identifier is not guessed."""
    if not (SHORTEST <= len(word) <= LONGEST and word.isalpha()):
        return ()
    return [one for one in dict.fromkeys(_slips(word)) if one != word]


def _slips(word: str) -> Iterator[str]:
    splits = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    yield from (before + after[1] + after[0] + after[2:] for before, after in splits if len(after) > 1)
    yield from (before + letter + after[1:] for before, after in splits if after for letter in ascii_lowercase)
    yield from (before + after[1:] for before, after in splits if after)
    yield from (before + letter + after for before, after in splits for letter in ascii_lowercase)

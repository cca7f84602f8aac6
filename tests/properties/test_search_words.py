"""Words without accents and case: what is typed finds what was written, however each of them spells it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.broker.search.text import searched_text, words_by_rank
from parvis.broker.search.words import LONGEST_WORD, MOST_WORDS, fold, words_in

TEXTS = st.text(max_size=60)


@given(TEXTS)
@settings(max_examples=100)
def test_folding_twice_is_folding_once_for_words(text: str) -> None:
    words = words_in(text)
    assert words_in(" ".join(words)) == words


@given(st.text(alphabet="aeiouéèêëàâîïôûùçÉÀŒœß -'", max_size=30))
def test_case_is_no_difference(text: str) -> None:
    assert fold(text.upper()) == fold(text.lower())


@given(TEXTS, st.text(max_size=20))
@settings(max_examples=100)
def test_every_word_of_a_name_is_in_the_index_and_the_text_alike(name: str, rest: str) -> None:
    text = searched_text("urn:ngsi-ld:Bin:1", ("https://example.org/WasteBin",), [("https://example.org/name", name)])
    held = {word for _, word in words_by_rank(text)}
    assert all(f" {word}" in text and word in held for word in words_in(name)[:MOST_WORDS])
    assert all(len(word) <= LONGEST_WORD and word == word.strip() for word in held)
    assert {"waste", "bin", "wastebin", "1"} <= held
    assert text.count("\n") == 3

"""q in a body, as it is often copied from a URL."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.broker.subscriptions.escapes import unescaped


@pytest.mark.parametrize(
    ("given_q", "read"),
    [
        ("level>0.6;owner==%22urn:ngsi-ld:Building:farm001%22", 'level>0.6;owner=="urn:ngsi-ld:Building:farm001"'),
        ('name=="Eiffel%20Tower"', 'name=="Eiffel Tower"'),
        ('name=="50% full"', 'name=="50% full"'),
        ("owner==http://example.org/a%20b", "owner==http://example.org/a%20b"),
        ('name=="a\\"b%20c";level>1', 'name=="a\\"b c";level>1'),
    ],
)
def test_what_is_quoted_is_decoded(given_q: str, read: str) -> None:
    assert unescaped(given_q) == read


@given(st.text(st.characters(codec="utf-8", exclude_characters='"\\%'), max_size=20))
def test_a_text_is_the_same_whether_it_was_encoded_or_not(text: str) -> None:
    assert unescaped(f"name==%22{quote(text)}%22") == unescaped(f'name=="{text}"') == f'name=="{text}"'

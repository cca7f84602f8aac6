import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.kernel.spreadsheet import inert, without_apostrophe


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd", "@SUM(A1)", "\tx", "\rx", "\nx", "\0x", "＝1+1", "＠SUM(A1)"])
def test_text_that_would_run_as_a_formula_has_an_apostrophe_before_it(text: str) -> None:
    assert inert(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=b", "12", "'quoted'", "é-"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert inert(text) == text
    assert without_apostrophe(text) == text


@pytest.mark.parametrize("text", ["'=1+1", "''-5"])
def test_an_apostrophe_that_was_there_is_there_again(text: str) -> None:
    assert inert(text) == f"'{text}"
    assert without_apostrophe(inert(text)) == text


@given(st.text(alphabet="'=+-@\t\ra1", max_size=6))
def test_the_apostrophe_is_taken_away_again(text: str) -> None:
    assert without_apostrophe(inert(text)) == text

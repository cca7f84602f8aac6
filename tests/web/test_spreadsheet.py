import pytest

from parvis.web.console.spreadsheet import csv_text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd", "@SUM(A1)", "\tx"])
def test_text_that_would_run_as_a_formula_is_made_inert(text: str) -> None:
    assert csv_text([[text]]) == f"'{text}\r\n"


def test_numbers_and_other_text_stay_as_they_are() -> None:
    assert csv_text([[-1.5, None, "a-b", "", True]]) == "-1.5,,a-b,,True\r\n"

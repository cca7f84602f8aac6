"""A gap of a store is said by a strict mark, of a store that there is, with a reason."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.contract.conftest import expect_failure


def item(store: str | None) -> Any:
    marks: list[Any] = []
    parameters = None if store is None else SimpleNamespace(params={"store": store})
    return SimpleNamespace(nodeid="test_it", callspec=parameters, add_marker=marks.append, marks=marks)


@pytest.mark.parametrize("gap", ["notyet", "never"])
def test_a_gap_is_a_strict_expected_failure_of_that_store_alone(gap: str) -> None:
    mark = getattr(pytest.mark, gap)("postgres", reason="no such index")
    concerned, other, without = item("postgres"), item("sqlite"), item(None)

    for one in (concerned, other, without):
        expect_failure(one, mark.mark)

    [expected] = concerned.marks
    assert (expected.mark.name, expected.mark.kwargs) == ("xfail", {"reason": f"{gap}: no such index", "strict": True})
    assert (other.marks, without.marks) == ([], [])


@pytest.mark.parametrize(
    "mark",
    [
        pytest.mark.notyet(reason="why"),
        pytest.mark.notyet("oracle", reason="why"),
        pytest.mark.never("postgres"),
        pytest.mark.never("postgres", reason=" "),
    ],
    ids=["no store", "unknown store", "no reason", "empty reason"],
)
def test_a_mark_without_a_store_or_a_reason_is_an_error(mark: pytest.MarkDecorator) -> None:
    with pytest.raises(pytest.UsageError):
        expect_failure(item("postgres"), mark.mark)

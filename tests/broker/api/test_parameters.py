import pytest

from parvis.broker.api.parameters import parse_parameters
from parvis.kernel.errors import BadRequestData, InvalidRequest, TooManyResults

KNOWN = frozenset({"id", "limit", "count", "options", "format", "scopeQ", "q", "timeAt"})


def test_a_parameter_that_the_route_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="entityMap"):
        parse_parameters(b"entityMap=true", KNOWN)


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        parse_parameters(b"q=a&q=b", KNOWN)


def test_percent_encoding_is_undone_and_must_be_utf_8() -> None:
    assert parse_parameters(b"q=name==%22Caf%C3%A9%22", KNOWN).text("q") == 'name=="Café"'
    with pytest.raises(InvalidRequest):
        parse_parameters(b"q=%FF", KNOWN)


def test_a_plus_is_a_space_in_text_but_a_level_in_a_scope_and_a_sign_in_a_time() -> None:
    given = parse_parameters(b"q=name==%22a+b%22&scopeQ=/Trevalan/+/Port&timeAt=2026-05-01T00:00:00+02:00", KNOWN)
    assert given.text("q") == 'name=="a b"'
    assert given.text("scopeQ") == "/Trevalan/+/Port"
    assert given.text("timeAt") == "2026-05-01T00:00:00+02:00"


def test_a_list_has_no_empty_members() -> None:
    assert parse_parameters(b"id=a,b", KNOWN).words("id") == ("a", "b")
    with pytest.raises(BadRequestData):
        parse_parameters(b"id=a,,b", KNOWN).words("id")


def test_a_flag_is_true_or_false_and_nothing_else() -> None:
    assert parse_parameters(b"count=true", KNOWN).flag("count")
    assert not parse_parameters(b"", KNOWN).flag("count")
    with pytest.raises(BadRequestData):
        parse_parameters(b"count=yes", KNOWN).flag("count")


@pytest.mark.parametrize("limit", ["-1", "0", "ten", "1.5", "٣"])
def test_a_limit_is_a_whole_number_from_one_on(limit: str) -> None:
    with pytest.raises(BadRequestData):
        parse_parameters(f"limit={limit}".encode(), KNOWN).limit(counting=False)


def test_a_limit_of_zero_asks_for_the_count_alone() -> None:
    assert parse_parameters(b"limit=0", KNOWN).limit(counting=True) == 0
    with pytest.raises(BadRequestData, match="count=true"):
        parse_parameters(b"limit=0", KNOWN).limit(counting=False)


def test_a_page_of_more_than_a_thousand_is_too_many_results() -> None:
    with pytest.raises(TooManyResults):
        parse_parameters(b"limit=1001", KNOWN).limit(counting=False)


def test_options_and_format_are_one_set_of_words_and_unknown_ones_are_refused() -> None:
    given = parse_parameters(b"options=sysAttrs&format=concise", KNOWN)
    assert given.options(frozenset({"sysAttrs", "concise"})) == {"sysAttrs", "concise"}
    with pytest.raises(InvalidRequest, match="sysAttrs"):
        given.options(frozenset({"concise"}))


@pytest.mark.parametrize("digits", [19, 5000])
def test_a_number_that_no_store_can_count_to_is_refused(digits: int) -> None:
    with pytest.raises(BadRequestData):
        parse_parameters(b"limit=" + b"9" * digits, KNOWN).integer("limit", 20, 0)

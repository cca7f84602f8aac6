"""By what a person is known: spellings that are one, neighbours that are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.access.privacy.person.identifiers import (
    By,
    Identifier,
    Sought,
    candidates_in,
    identifier,
    keyed,
    telephone_of,
)
from parvis.kernel.errors import BadRequestData


def sought(by: By, value: str) -> Sought:
    return Sought([identifier(by, value)])


@pytest.mark.parametrize(
    "text",
    [
        "marie.dupont@example.fr",
        "Marie.Dupont@Example.FR",
        "write to <marie.dupont@example.fr>, please.",
        "mailto:marie.dupont@example.fr?subject=x",
        "user:marie.dupont@example.fr",
        "seen by marie.dupont@example.fr.",
    ],
)
def test_an_address_is_found_however_it_is_written(text: str) -> None:
    assert sought(By.EMAIL, "marie.dupont@example.fr").marks(text)


@pytest.mark.parametrize(
    "text",
    ["anne-marie.dupont@example.fr", "marie.dupont@example.fr.org", "marie.dupont@sub.example.fr", "marie.dupont", ""],
)
def test_a_longer_address_is_somebody_elses(text: str) -> None:
    assert not sought(By.EMAIL, "marie.dupont@example.fr").marks(text)


@pytest.mark.parametrize(
    "text",
    [
        "0612345678",
        "+33 6 12 34 56 78",
        "06.12.34.56.78",
        "0033612345678",
        "call 06 12 34 56 78 at noon",
        "(06)12345678",
    ],
)
def test_a_telephone_is_found_with_and_without_its_country(text: str) -> None:
    assert sought(By.TELEPHONE, "+33 6 12 34 56 78").marks(text)


@pytest.mark.parametrize("text", ["0612345679", "06123456789012345678", "ab0612345678cd", "12.5", "2026-11-22"])
def test_other_numbers_are_none(text: str) -> None:
    assert not sought(By.TELEPHONE, "06 12 34 56 78").marks(text)


def test_a_name_is_found_in_either_order_and_without_accents() -> None:
    wanted = sought(By.NAME, "Hélène Le Goff")

    assert wanted.marks("LE GOFF Helene")
    assert wanted.marks("told by Hélène Le Goff, 3 rue du Port")
    assert not wanted.marks("Hélène Le Gall")
    assert not wanted.is_certain(wanted.marks("Hélène Le Goff"))


def test_a_first_name_alone_is_nobody() -> None:
    with pytest.raises(BadRequestData):
        identifier(By.NAME, "Marie")


@pytest.mark.parametrize(
    ("by", "text"), [(By.EMAIL, "marie"), (By.TELEPHONE, "12"), (By.ENTITY, "marie"), (By.ACCOUNT, " "), (By.NAME, "")]
)
def test_what_is_no_identifier_is_refused(by: By, text: str) -> None:
    with pytest.raises(BadRequestData):
        identifier(by, text)


def test_values_within_documents_are_looked_through_and_their_names_are_not() -> None:
    wanted = sought(By.EMAIL, "a@b.fr")

    assert wanted.marks_in({"deep": [{"contact": "a@b.fr"}]})
    assert not wanted.marks_in({"a@b.fr": "x"})


def test_a_number_is_a_telephone_where_the_attribute_is_a_persons() -> None:
    wanted = sought(By.TELEPHONE, "06 12 34 56 78")

    assert wanted.marks_in(33612345678, with_numbers=True)
    assert not wanted.marks_in(33612345678)


@pytest.mark.parametrize(
    "text",
    [
        "urn:ngsi-ld:Person:1",
        "see urn:ngsi-ld:Person:1.",
        "(urn:ngsi-ld:Person:1)",
        "https://example.org/entities/urn:ngsi-ld:Person:1?type=Person",
    ],
)
def test_an_object_is_found_by_its_id_wherever_it_is_named(text: str) -> None:
    wanted = sought(By.ENTITY, "urn:ngsi-ld:Person:1")

    assert wanted.marks(text)
    assert not wanted.marks(text.replace("Person:1", "Person:12"))


def test_an_id_with_any_signs_is_found_as_it_is() -> None:
    assert Sought([]).with_entities(["urn:x:a,b;c"]).marks("urn:x:a,b;c")


def test_subjects_name_accounts_and_keys() -> None:
    assert sought(By.ACCOUNT, "marie").marks("user:marie")
    assert not sought(By.ACCOUNT, "marie").marks("user:marie-anne")
    assert sought(By.KEY, "k1").marks("key:k1")


@given(st.text(max_size=200))
def test_any_text_can_be_looked_through(text: str) -> None:
    for candidate in candidates_in(text):
        assert candidate.value


@given(st.emails(), st.binary(min_size=32, max_size=32))
def test_digests_find_what_the_address_itself_would(email: str, key: bytes) -> None:
    try:
        one = identifier(By.EMAIL, email)
    except BadRequestData:
        return
    digested = keyed(key)
    again = Sought([Identifier(By.ENTITY, digested(one.by, one.value))], digested)

    assert bool(again.marks(f"from {email} today")) == bool(Sought([one]).marks(f"from {email} today"))
    assert not again.marks("from other@example.org today")


def test_the_digest_of_another_key_finds_nobody() -> None:
    mark = keyed(b"one")(By.EMAIL, "a@b.fr")

    assert not Sought([Identifier(By.ENTITY, mark)], keyed(b"other")).marks("a@b.fr")


def test_the_last_digits_count() -> None:
    assert telephone_of("+33 (0)6 12 34 56 78") == telephone_of("0612345678")

"""What the store knows to be wrong of itself, and what it can mend."""

import pytest

from parvis.stores.postgres.database import EVERY_TENANT, Database, scoped
from parvis.stores.postgres.integrity import find_faults, repair


@pytest.fixture
def url(postgres_url: str) -> str:
    Database(postgres_url).prepare()
    return postgres_url


def change(url: str, *statements: str) -> None:
    with Database(url).connect() as connection, scoped(connection, EVERY_TENANT):
        for statement in statements:
            connection.execute(statement.encode())


def test_a_sound_store_has_no_fault(url: str) -> None:
    assert find_faults(url) == []
    assert repair(url) == []


def test_attributes_without_an_entity_are_taken_out(url: str) -> None:
    change(
        url,
        "INSERT INTO word (text) VALUES ('urn:level')",
        "INSERT INTO shape (kind, unit, form) VALUES (1, '', 1)",
        "INSERT INTO attribute SELECT 1, 7, w.id, 0, s.id, 5, NULL, NULL, NULL, 0, 0, NULL FROM word w, shape s",
    )

    [fault] = repair(url)

    assert "1 attributes belong to no entity" in fault.words
    assert find_faults(url) == []


def test_numbers_never_start_again(url: str) -> None:
    change(url, "INSERT INTO outbox VALUES (40, 1, 1, 1, 1, 0, 1, 1, 0, 0)")

    assert [fault.words for fault in repair(url)] == ["numbers would be given twice"]

    assert find_faults(url) == []
    with Database(url).connect() as connection:
        assert connection.execute("SELECT event FROM numbers").fetchone() == (40,)


def test_a_role_above_row_level_security_is_told(url: str) -> None:
    [fault] = find_faults(url.replace("territory@", "parvis@"))

    assert "row-level security" in fault.words

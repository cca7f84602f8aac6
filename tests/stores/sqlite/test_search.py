"""Questions for words go by the index, never through a table from end to end."""

from pathlib import Path

from parvis.broker.search.ranking import span_of
from parvis.stores.sqlite.database import Database
from parvis.stores.sqlite.search import _COUNT, _LED, _LED_ONCE

SPAN = (1, 0, *span_of("port"), 10)


def plan(path: Path, sql: str) -> str:
    connection = Database(path).connect_writer()
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", SPAN).fetchall()
    connection.close()
    return "\n".join(row[3] for row in rows)


def test_a_words_span_is_searched_in_its_index(tmp_path: Path) -> None:
    for sql in (_LED, _LED_ONCE, _COUNT):
        told = plan(tmp_path / "parvis.db", sql)
        assert "SEARCH searched_word USING PRIMARY KEY (tenant=? AND rank=? AND word>? AND word<?)" in told
        assert "SCAN searched_word" not in told


def test_entities_and_their_texts_are_found_by_number(tmp_path: Path) -> None:
    led = (
        f"SELECT urn, text FROM ({_LED_ONCE}) AS led CROSS JOIN searched ON searched.entity = led.entity"
        " CROSS JOIN entity ON id = led.entity AND deleted IS NULL"
    )
    told = plan(tmp_path / "parvis.db", led)
    assert "SEARCH searched USING INTEGER PRIMARY KEY" in told
    assert "SEARCH entity USING INTEGER PRIMARY KEY" in told

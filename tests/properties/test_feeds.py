"""Whatever a feed answers is read, or refused with a reason."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.connectors.feeds.codec import DEEPEST, Encoding, UnreadableFeed, read_documents
from parvis.connectors.feeds.mapping import PACKAGED_FORMATS, FeedFormat, Reading, load_format
from parvis.fleet.documents.expressions import ExpressionFailed
from tests.connectors.feeds.samples import GARONNE, NOW, air, air_file, river, rivers, weather

FORMATS = {path.name: load_format(path.name, [PACKAGED_FORMATS]) for path in PACKAGED_FORMATS.iterdir()}
SAMPLES = [
    msgspec.json.encode(rivers(river(GARONNE, "H", "2026-09-21T12:00:00Z", 4120.0))),
    msgspec.json.encode([weather(NOW, 293.15)]),
    air_file(air("NO2", NOW, "11.5")),
    b'<a xmlns:b="urn:b"><b:c d="1">text</b:c><c/></a>',
]
CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.text()))
RECORDS = st.dictionaries(
    st.sampled_from(["code_station", "date_obs", "grandeur_hydro", "resultat_obs", "longitude", "latitude"]), CELLS
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    body = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(0, 8))):
        place = draw(st.integers(0, len(body) - 1))
        body[place : place + draw(st.integers(0, 5))] = draw(st.binary(max_size=5))
    return bytes(body)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=300), damaged()), st.sampled_from(Encoding), st.sampled_from(sorted(FORMATS)))
def test_any_bytes_are_read_or_refused(body: bytes, encoding: Encoding, name: str) -> None:
    try:
        documents = list(read_documents(body, encoding))
        for document in documents:
            FORMATS[name].read(document, (), 100, NOW, Reading())
    except (UnreadableFeed, ExpressionFailed):
        return
    assert all(isinstance(FORMATS[name].find_next(document), str | None) for document in documents)


@settings(max_examples=150, deadline=None)
@given(st.lists(RECORDS, max_size=5))
def test_every_record_is_an_observation_or_has_none_or_is_refused(records: list[dict[str, Any]]) -> None:
    form: FeedFormat = FORMATS["hubeau-hydrometrie"]
    reading = Reading()
    form.read({"data": records}, (), 100, NOW, reading)
    values = [one.value for station in reading.stations.values() for one in station.observations.values()]
    assert all(isinstance(value, float) and abs(value) < float("inf") for value in values)
    assert len(values) + reading.refused.total() <= len(records)


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>',
        b"<a>" * (DEEPEST + 2),
        b"<a><b></a>",
        b"",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
    ],
)
def test_xml_that_could_do_harm_or_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableFeed):
        list(read_documents(body, Encoding.XML))

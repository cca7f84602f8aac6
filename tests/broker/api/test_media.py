import pytest

from parvis.broker.api.media import GEO_MEDIA, JSON_MEDIA, Media, accepted, content_media, context_link
from parvis.kernel.errors import BadRequestData, NotAcceptable, UnsupportedMediaType

LINK = b'<https://example.org/town.jsonld>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


@pytest.mark.parametrize(
    ("header", "media"),
    [
        (b"", Media.JSON),
        (b"*/*", Media.JSON),
        (b"application/ld+json", Media.JSON_LD),
        (b"application/json;q=0.5, application/ld+json", Media.JSON_LD),
        (b"text/html, application/*;q=0.1", Media.JSON),
        (b"application/geo+json", Media.GEO_JSON),
        (b"application/json;q=0, */*", Media.JSON_LD),
        (b"application/ld+json;q=high", Media.JSON_LD),
        (b"application/json;q=0.5, application/ld+json;q=nan", Media.JSON_LD),
        (b"application/json, application/ld+json;q=7", Media.JSON),
    ],
)
def test_the_best_accepted_type_is_given(header: bytes, media: Media) -> None:
    assert accepted(header, GEO_MEDIA) is media


@pytest.mark.parametrize("header", [b"text/html", b"application/geo+json", b"application/json;q=0"])
def test_what_cannot_be_given_is_not_acceptable(header: bytes) -> None:
    with pytest.raises(NotAcceptable):
        accepted(header, JSON_MEDIA)


def test_a_body_is_json_json_ld_or_a_merge_patch() -> None:
    assert content_media(b"application/json; charset=utf-8") is Media.JSON
    assert content_media(b"Application/LD+JSON") is Media.JSON_LD
    assert content_media(b"application/merge-patch+json") is Media.MERGE_PATCH
    for other in (b"", b"text/plain", b"application/xml", b"application/geo+json"):
        with pytest.raises(UnsupportedMediaType):
            content_media(other)


def test_the_context_is_the_link_with_the_context_relation() -> None:
    assert context_link(LINK) == "https://example.org/town.jsonld"
    assert context_link(b'<https://example.org/next>; rel="next", ' + LINK) == "https://example.org/town.jsonld"
    assert context_link(b'<https://example.org/next>; rel="next"') is None


def test_two_contexts_in_one_link_header_are_refused() -> None:
    with pytest.raises(BadRequestData):
        context_link(LINK + b", " + LINK)

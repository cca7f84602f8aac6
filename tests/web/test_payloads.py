import pytest

from parvis.fleet.model.refusal import RefusalReason
from parvis.web.causes import Explained
from parvis.web.console.details import explain_detail
from parvis.web.console.payloads import LONGEST_TEXT, payload_view
from parvis.web.wording import wording

FR = wording("fr", "Europe/Paris")
EN = wording("en", "Europe/Paris")


def test_json_is_shown_as_text_and_as_bytes() -> None:
    view = payload_view('{"lieu": "préau"}'.encode(), 64)
    assert (view.text, view.is_text_cut) == ('{"lieu": "préau"}', False)
    assert view.hex.startswith("7b 22 6c 69")
    assert view.is_cut


@pytest.mark.parametrize("payload", [b"", b"OK", b"\x01\x67\x00\xe1", b"abcd\x00", b"\xff\xfe\xfd\xfc"])
def test_bytes_that_are_no_text_stay_bytes(payload: bytes) -> None:
    view = payload_view(payload, 64)
    assert (view.text, view.hex, view.is_cut) == ("", payload.hex(" "), False)


def test_long_text_is_cut() -> None:
    view = payload_view(b"x" * 1000, 64)
    assert (len(view.text), view.is_text_cut, view.is_cut) == (LONGEST_TEXT, True, True)


@pytest.mark.parametrize(
    ("text", "french", "english"),
    [
        ("frame counter 7", "Compteur de trame 7", "Frame counter 7"),
        (
            "it does not say which device sends",
            "Le message ne dit pas quel capteur l’envoie",
            "The message does not say which device sends it",
        ),
        ("longer than 50 ms", "Plus de 50 ms", "Longer than 50 ms"),
        (
            "latitude 95, longitude 2 is no place on Earth",
            "Latitude 95, longitude 2\u00a0: ce lieu n’existe pas",
            "Latitude 95, longitude 2 is no place on Earth",
        ),
        ("'ab' is no place", "«\u00a0ab\u00a0» n’est pas un lieu", "'ab' is no place"),
        ("battery is 'low': only a number can be scaled", None, "battery is 'low': only a number can be scaled"),
    ],
)
def test_what_the_platform_found_is_said_in_the_language_of_the_page(
    text: str, french: str | None, english: str
) -> None:
    assert explain_detail(RefusalReason.MAPPING_FAILED, text, EN) == Explained(english, "")
    said = explain_detail(RefusalReason.MAPPING_FAILED, text, FR)
    assert said.detail == ""
    assert said.sentence == french or (french is None and said.sentence.startswith("battery vaut «\u00a0low"))


def test_fields_that_no_rule_wants_are_named() -> None:
    said = explain_detail(RefusalReason.NOTHING_MAPPED, "temp, hum", FR)
    assert said == Explained("Champs reçus\u00a0: temp, hum", "")


def test_what_another_program_found_stands_beside_our_sentence() -> None:
    text = "The body is no JSON: object keys must be strings (byte 1)."
    said = explain_detail(RefusalReason.MALFORMED_MESSAGE, text, FR)
    assert said == Explained("Le contenu n’est pas du JSON", "object keys must be strings (byte 1)")


def test_what_a_codec_wrote_is_quoted() -> None:
    said = explain_detail(RefusalReason.CODEC_THREW, "TypeError: x is undefined", FR)
    assert said == Explained("", "TypeError: x is undefined")
    assert explain_detail(None, "", FR) == Explained("", "")

"""Inputs near to good ones: bytes changed, documents with a member that is something else, and anything at all."""

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

_MOST_EDITS = 6
_NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 255, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, -0.0, float("nan"), float("inf"),
    "", " ", "\0", "é", "NaN", "1e999", "9" * 400, "-", "0x", "1970-01-01", "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+14:00", "2026-02-30T25:61:61Z", "AA==", "====", "a" * 5000, "=", "{", "[[", "%s", "../..",
    [], {}, [[]], [{}], {"": None}, {"value": {}}, [None] * 50,
]  # fmt: skip
_NASTY_BYTES = (b'"\\ud800"', b"\0", b"\xff" * 4, b"\x7f", b"\x80" * 9, b"\xed\xa0\x80", b'"')
_LONGEST = 300
_DEEP = (10, 60, 2000)


def nasty() -> st.SearchStrategy[Any]:
    return st.sampled_from(_NASTY).map(deepcopy)


def plain_values(words: Sequence[str]) -> st.SearchStrategy[Any]:
    """Of the kinds that JSON has."""
    texts = st.text(max_size=20) | (st.sampled_from(words) if words else st.nothing())
    scalars = nasty() | st.integers() | st.floats() | texts
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=10
    )


def damaged_documents(documents: Sequence[Any], words: Sequence[str]) -> st.SearchStrategy[Any]:
    return damaged(st.sampled_from(documents), words)


@st.composite
def damaged(draw: st.DrawFn, documents: st.SearchStrategy[Any], words: Sequence[str]) -> Any:
    """One of them with some members replaced, gone or deeper than they were."""
    document = deepcopy(draw(documents))
    for _ in range(draw(st.integers(0, _MOST_EDITS))):
        document = _edited(draw, document, words)
    return document


def _edited(draw: st.DrawFn, document: Any, words: Sequence[str]) -> Any:
    places = list(_places(document))
    if not places:
        return draw(plain_values(words))
    holder, name = draw(st.sampled_from(places))
    act = draw(st.integers(0, 3))
    if act == 0:
        del holder[name]
    elif act == 1:
        holder[name] = [holder[name]] * draw(st.integers(1, 3))
    else:
        holder[name] = draw(nasty() if act == 2 else plain_values(words))
    return document


def _places(document: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting and len(found) < 500:
        one = waiting.pop()
        names = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        found += [(one, name) for name in names]
        waiting += [one[name] for name in names]
    return found


@st.composite
def damaged_bytes(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    """One of them with some bytes changed, cut, doubled or come from another."""
    body = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(0, _MOST_EDITS))):
        at = draw(st.integers(0, len(body)))
        until = min(len(body), at + draw(st.integers(0, 8)))
        match draw(st.integers(0, 4)):
            case 0:
                body[at:until] = draw(st.binary(max_size=8))
            case 1:
                body[at:until] = draw(
                    st.sampled_from([b"\0", b"\xff" * 4, b"\x7f", b"\x80" * 9, b"\xed\xa0\x80", b'"'])
                )
            case 2:
                del body[at:]
            case 3:
                body[at:at] = body[at:until] * draw(st.integers(1, 40))
            case _:
                body[at:] = draw(st.sampled_from(samples))[at:]
    return bytes(body)


def deep_bytes() -> st.SearchStrategy[bytes]:
    """Nested without end, in every form that nests."""
    pairs = [(b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"\x81", b""), (b"\xa1\x61a", b""), (b"(", b")")]
    return st.builds(lambda pair, deep: pair[0] * deep + pair[1] * deep, st.sampled_from(pairs), st.sampled_from(_DEEP))


def any_bytes(samples: Sequence[bytes], documents: Sequence[Any], words: Sequence[str]) -> st.SearchStrategy[bytes]:
    choices = [st.binary(max_size=_LONGEST), deep_bytes(), plain_values(words).map(encoded)]
    if samples:
        choices += [damaged_bytes(samples)] * 3
    if documents:
        choices += [damaged_documents(documents, words).map(encoded)] * 3
    return st.one_of(choices)


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()

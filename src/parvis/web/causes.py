"""Why a notification was not taken, in a page's language."""

from typing import NamedTuple

from parvis.kernel.causes import find_cause
from parvis.web.wording import Wording


class Explained(NamedTuple):
    """`detail` is what was written when it happened, in English; empty where it says no more than the sentence."""

    sentence: str
    detail: str


def explain(text: str, t: Wording) -> Explained:
    """What somebody else has written has no sentence of ours."""
    found = find_cause(text)
    if found is None:
        return Explained("", text)
    sentence = t(f"cause.{found.cause.name.lower()}", **found.values)
    return Explained(sentence, "" if sentence == text else text)

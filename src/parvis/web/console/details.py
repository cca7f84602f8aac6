"""Why exactly a frame was refused, in the page's language: the platform keeps it as one English sentence."""

from parvis.fleet.model.refusal import RefusalReason
from parvis.web.causes import Explained
from parvis.web.faults import explain_fault
from parvis.web.wording import Wording


def explain_detail(reason: RefusalReason | None, text: str, t: Wording) -> Explained:
    """What a codec or a library wrote has no sentence of ours: it is the `detail`, in its own words."""
    if text and reason is RefusalReason.NOTHING_MAPPED:
        return Explained(t("refusal_detail.fields", fields=text), "")
    return explain_fault(text, t)

"""Subscriptions in the console: what is shown of them, and what can be done."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from parvis.bootstrap import Platform, open_platform
from parvis.broker.subscriptions.model import DeadLetter, Note
from parvis.broker.subscriptions.parse import new_subscription
from parvis.kernel.causes import Cause
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.settings import OutboundSettings
from parvis.kernel.time import Instant
from parvis.web.causes import explain
from parvis.web.i18n import LANGUAGES
from parvis.web.wording import wording
from tests.fakes.receiver import Receiver
from tests.web.conftest import form_token, plain, settings

NAME = "urn:ngsi-ld:Subscription:bins"
PAGE = f"/console/subscriptions/{NAME}"


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    """It may call this machine, where the receivers of these tests are."""
    allowed = replace(settings(tmp_path, auth=True), outbound=OutboundSettings(allow=("127.0.0.0/8",)))
    async with open_platform(allowed, listen=False) as platform:
        yield platform


def document(**more: Any) -> dict[str, Any]:
    return {
        "id": NAME,
        "type": "Subscription",
        "subscriptionName": "Bins for the depot",
        "entities": [{"type": "WasteContainer"}],
        "watchedAttributes": ["fillingLevel"],
        "q": "fillingLevel>0.8",
        "notification": {"endpoint": {"uri": "https://receiver.example/hook"}},
        **more,
    }


async def subscribe(platform: Platform, caller: Caller, **more: Any) -> None:
    await platform.broker.subscriptions.create(caller, document(**more), platform.broker.contexts.parvis)


async def bury(platform: Platform, now: Instant, count: int = 1, uri: str = "https://receiver.example/hook") -> None:
    letters = [
        DeadLetter(
            DEFAULT_TENANT,
            NAME,
            now,
            f"urn:ngsi-ld:WasteContainer:{number}",
            number + 1,
            uri,
            "The receiver answered with status 400.",
            1,
            b'{"data":[{"id":"urn:ngsi-ld:WasteContainer:%d"}]}' % number,
            {"Content-Type": "application/json"},
        )
        for number in range(count)
    ]
    await platform.notifications.subscriptions.bury(letters, 1000)


async def test_nobody_known_is_told_of_subscriptions(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/console/subscriptions")
    assert answer.status_code == 303
    assert "sign-in" in answer.headers["location"]


async def test_an_empty_list_says_what_to_do(operator: httpx.AsyncClient) -> None:
    assert "Nobody has subscribed yet." in plain((await operator.get("/console/subscriptions")).text)


async def test_the_list_shows_the_failing_first_and_can_be_narrowed(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient, now: Instant
) -> None:
    await subscribe(platform, caller)
    await subscribe(platform, caller, id="urn:ngsi-ld:Subscription:a", subscriptionName="Another", isActive=False)
    await platform.notifications.subscriptions.note(
        [Note(DEFAULT_TENANT, NAME, failed=1, last_failure=now, last_reason="It is away.")]
    )
    page = plain((await operator.get("/console/subscriptions")).text)
    assert page.index("Bins for the depot Failing") < page.index("Another Paused")
    assert "https://receiver.example/hook" in page
    narrowed = plain((await operator.get("/console/subscriptions?state=paused")).text)
    assert "Another" in narrowed
    assert "Bins for the depot" not in narrowed
    found = plain((await operator.get("/console/subscriptions?search=DEPOT")).text)
    assert "Bins for the depot" in found
    assert "Another" not in found
    assert "No subscription matches" in plain((await operator.get("/console/subscriptions?search=zzz")).text)


async def test_the_page_of_one_says_what_it_is_about_and_what_went_wrong(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient, now: Instant
) -> None:
    await subscribe(platform, caller)
    await bury(platform, now)
    page = plain((await operator.get(PAGE)).text)
    for told in ("WasteContainer", "fillingLevel>0.8", "The receiver answered with status 400.", "Send all again"):
        assert told in page


async def test_why_it_failed_is_told_in_french_with_what_was_written_beside(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient, now: Instant
) -> None:
    await subscribe(platform, caller)
    await bury(platform, now)
    away = "The name receiver.example cannot be resolved."
    await platform.notifications.subscriptions.note(
        [Note(DEFAULT_TENANT, NAME, failed=1, last_failure=now, last_reason=away)]
    )
    page = await operator.get(f"{PAGE}?lang=fr&sent=0&left=1&why=Its+subscription+is+gone.")
    for told in (
        "Le nom receiver.example est introuvable sur le réseau.",
        "Le destinataire a répondu par le statut 400.",
        "L’abonnement n’existe plus.",
    ):
        assert told in plain(page.text)
    for written in (away, "The receiver answered with status 400.", "Its subscription is gone."):
        assert re.search(rf'lang="en">{re.escape(written)}<', page.text), written
    english = plain((await operator.get(f"{PAGE}?lang=en")).text)
    assert english.count("The receiver answered with status 400.") == 1, "no sentence is told twice"


@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_its_sentence(cause: Cause, language: str) -> None:
    values = dict.fromkeys(("host", "place", "address", "limit", "status", "bytes", "code", "fault", "owner"), "x")
    assert explain(cause.say(**values), wording(language, "UTC")).sentence


async def test_it_is_told_in_french_too(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient, now: Instant
) -> None:
    await subscribe(platform, caller)
    await bury(platform, now, 2)
    for path in ("/console/subscriptions?lang=fr", f"{PAGE}?lang=fr&sent=1&left=2&why=x"):
        assert (await operator.get(path)).status_code == 200
    assert "2 ne l’ont pas été : x" in plain((await operator.get(f"{PAGE}?lang=fr&sent=1&left=2&why=x")).text)


async def test_it_is_paused_goes_on_and_is_deleted_by_forms(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient
) -> None:
    await subscribe(platform, caller)
    token = form_token((await operator.get(PAGE)).text)
    assert (await operator.post(f"{PAGE}/pause", data={"form_token": token})).status_code == 303
    assert "Paused" in plain((await operator.get(PAGE)).text)
    await operator.post(f"{PAGE}/resume", data={"form_token": token})
    assert "Nothing to tell yet" in plain((await operator.get(PAGE)).text)
    answer = await operator.post(f"{PAGE}/delete", data={"form_token": token})
    assert "The subscription is deleted." in plain((await operator.get(answer.headers["location"])).text)
    assert (await operator.get(PAGE)).status_code == 404


@pytest.mark.parametrize("action", ["pause", "resume", "delete", "replay", "forget"])
async def test_a_form_that_is_not_ours_changes_nothing(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient, action: str
) -> None:
    await subscribe(platform, caller)
    assert (await operator.post(f"{PAGE}/{action}", data={"form_token": "forged"})).status_code == 403
    assert "Nothing to tell yet" in plain((await operator.get(PAGE)).text)


async def test_dead_letters_are_sent_again_one_or_all_and_forgotten(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient, now: Instant
) -> None:
    async with Receiver().listening() as receiver:
        await platform.notifications.subscriptions.add(_pointing_to(platform, caller, receiver.url))
        await bury(platform, now, 3, receiver.url)
        token = form_token((await operator.get(PAGE)).text)
        letters = (await platform.broker.subscriptions.list_letters(caller, NAME)).letters
        await operator.post(f"{PAGE}/forget", data={"form_token": token, "number": str(letters[0].number)})
        answer = await operator.post(
            f"{PAGE}/replay", data={"form_token": token, "number": str(letters[1].number)}, follow_redirects=True
        )
        assert "1 notification was taken." in plain(answer.text)
        answer = await operator.post(f"{PAGE}/replay", data={"form_token": token}, follow_redirects=True)
        assert "1 notification was taken." in plain(answer.text)
        assert "There are none." in plain(answer.text)
    assert [one.data[0]["id"] for one in receiver.heard] == [letters[1].entity_id, letters[2].entity_id]


async def test_forgetting_a_dead_letter_asks_first(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient, now: Instant
) -> None:
    await subscribe(platform, caller)
    await bury(platform, now)
    page = (await operator.get(PAGE)).text
    questions = re.findall(r'<details class="confirm in-row">.*?</details>', page, re.DOTALL)
    assert len(questions) == page.count(f'action="{PAGE}/forget"') == 1
    assert f'action="{PAGE}/forget"' in questions[0]
    assert "this cannot be undone" in questions[0]


async def test_what_the_receiver_says_is_shown_as_text(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient
) -> None:
    await subscribe(platform, caller, subscriptionName="<script>alert(1)</script>")
    for path in ("/console/subscriptions", f"{PAGE}?sent=0&left=1&why=<script>"):
        assert "<script>" not in (await operator.get(path)).text.split("<body")[1].split("<main")[1].split("</main")[0]


def _pointing_to(platform: Platform, caller: Caller, uri: str) -> Any:
    given = document(notification={"endpoint": {"uri": uri}})
    return new_subscription(given, platform.broker.contexts.parvis, caller, 1)

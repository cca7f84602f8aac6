"""Where one can go and what one can begin in the console, by the words that people would type for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from parvis.broker.search.words import words_in
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.web.wording import Wording


@dataclass(frozen=True, slots=True)
class Place:
    """`where_to.<key>` is its name, `where_to_words.<key>` what else it is called, `right` what its page asks for."""

    key: str
    href: str
    icon: str
    right: Right | None = None
    is_action: bool = False
    is_for_all: bool = False
    """Of the whole installation: for the default tenant only."""
    is_of_story: bool = False
    """There in a demonstration only."""

    def title(self, t: Wording) -> str:
        return t(f"where_to.{self.key}")

    def words(self, t: Wording) -> list[str]:
        return words_in(f"{self.title(t)} {t(f'where_to_words.{self.key}')}")


PLACES: Sequence[Place] = (
    Place("overview", "/console", "gauge"),
    Place("map", "/console/map", "map"),
    Place("attention", "/console/map?state=attention", "triangle-alert"),
    Place("dashboards", "/console/dashboards", "chart-line", Right.READ),
    Place("story", "/console/story", "play", Right.READ, is_of_story=True),
    Place("devices", "/console/devices", "radio", Right.READ),
    Place("quarantine", "/console/quarantine", "lock", Right.READ),
    Place("refusals", "/console/refusals", "inbox"),
    Place("coverage", "/console/coverage", "antenna", Right.READ),
    Place("codecs", "/console/codecs", "cpu", Right.READ),
    Place("connectors", "/console/connectors", "network", Right.READ),
    Place("subscriptions", "/console/subscriptions", "bell", Right.READ),
    Place("jobs", "/console/jobs", "clock", Right.READ),
    Place("imports", "/console/imports", "upload", Right.WRITE),
    Place("first_run", "/console/first-run", "flag", Right.ADMINISTER, is_for_all=True),
    Place("system", "/console/system", "activity", Right.READ, is_for_all=True),
    Place("incidents", "/console/incidents", "flag", Right.ADMINISTER),
    Place("audit", "/console/audit", "history", Right.AUDIT),
    Place("exports", "/console/exports", "download", Right.STEWARD),
    Place("people", "/console/people", "users", Right.ADMINISTER),
    Place("roles", "/console/roles", "shield", Right.READ),
    Place("keys", "/console/keys", "key-round", Right.ADMINISTER),
    Place("account", "/console/account", "user"),
    Place("members", "/console/members", "users", Right.READ, is_for_all=True),
    Place("portal", "/", "house"),
    Place("add_device", "/console/devices/new", "plus", Right.WRITE, is_action=True),
    Place("import_devices", "/console/devices/import", "upload", Right.WRITE, is_action=True),
    Place("import_file", "/console/imports", "upload", Right.WRITE, is_action=True),
    Place("add_member", "/console/members/new", "plus", Right.ADMINISTER, is_action=True, is_for_all=True),
    Place("new_dashboard", "/console/dashboards/new", "plus", Right.WRITE, is_action=True),
    Place("test_frame", "/console/codecs", "activity", Right.READ, is_action=True),
    Place("export_devices", "/console/devices.csv", "download", Right.READ, is_action=True),
)


def open_to(caller: Caller, *, has_story: bool) -> list[Place]:
    return [place for place in PLACES if _is_open(place, caller) and (has_story or not place.is_of_story)]


def _is_open(place: Place, caller: Caller) -> bool:
    if place.is_for_all and caller.tenant != DEFAULT_TENANT:
        return False
    return place.right is None or caller.may(place.right)


def find_places(places: Sequence[Place], asked: Sequence[str], t: Wording) -> list[Place]:
    """Those of which each word asked for begins a word, the ones that are called so before those that are also."""
    found = [place for place in places if asked and _begins_all(asked, place.words(t))]
    return sorted(found, key=lambda place: not _begins_all(asked, words_in(place.title(t))))


def _begins_all(asked: Sequence[str], words: Sequence[str]) -> bool:
    return all(any(word.startswith(one) for word in words) for one in asked)

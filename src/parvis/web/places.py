"""Where one can go and what one can begin in the console, by the words that people would type for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from parvis.broker.search.words import words_in
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.web.wording import Wording


class Group(StrEnum):
    """Of ways in the rail, in its order; `rail_group.<value>` is its heading. Those of `GLANCE` are always seen, the
    domains stand in `TERRITORY`."""

    GLANCE = "glance"
    TERRITORY = "territory"
    FLEET = "fleet"
    ACCESS = "access"
    PLATFORM = "platform"


class Only(StrEnum):
    """Where alone a place is."""

    INSTALLATION = "installation"
    """Of the whole of it: in the default tenant."""
    POOL = "pool"
    """With members."""
    MEMBER = "member"
    STORY = "story"


@dataclass(frozen=True, slots=True)
class Here:
    """What an installation is for a caller."""

    has_story: bool = False
    has_members: bool = False
    is_member: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """`where_to.<key>` is its name, `where_to_words.<key>` what else it is called, `right` what its page asks for;
    without a `group` it is not in the rail."""

    key: str
    href: str
    icon: str
    right: Right | None = None
    group: Group | None = None
    only: Only | None = None
    is_action: bool = False
    is_of_all: bool = False
    """It asks for the right over everything."""

    def title(self, t: Wording) -> str:
        return t(f"where_to.{self.key}")

    def words(self, t: Wording) -> list[str]:
        return words_in(f"{self.title(t)} {t(f'where_to_words.{self.key}')}")


PLACES: Sequence[Place] = (
    Place("overview", "/console", "gauge", group=Group.GLANCE),
    Place("map", "/console/map", "map", group=Group.GLANCE),
    Place("attention", "/console/map?state=attention", "triangle-alert"),
    Place("dashboards", "/console/dashboards", "chart-line", Right.READ, Group.GLANCE),
    Place("story", "/console/story", "play", Right.READ, Group.GLANCE, Only.STORY),
    Place("devices", "/console/devices", "radio", Right.READ, Group.FLEET),
    Place("quarantine", "/console/quarantine", "lock", Right.READ, is_of_all=True),
    Place("refusals", "/console/refusals", "inbox", Right.READ, Group.FLEET, is_of_all=True),
    Place("coverage", "/console/coverage", "antenna", Right.READ, is_of_all=True),
    Place("codecs", "/console/codecs", "cpu", Right.READ),
    Place("connectors", "/console/connectors", "network", Right.READ),
    Place("imports", "/console/imports", "upload", Right.READ | Right.WRITE, Group.FLEET, is_of_all=True),
    Place("subscriptions", "/console/subscriptions", "bell", Right.READ, Group.FLEET),
    Place("exports", "/console/exports", "download", Right.STEWARD, Group.FLEET),
    Place("people", "/console/people", "users", Right.ADMINISTER, Group.ACCESS),
    Place("roles", "/console/roles", "shield", Right.READ, Group.ACCESS),
    Place("keys", "/console/keys", "key-round", Right.ADMINISTER, Group.ACCESS),
    Place("privacy", "/console/privacy", "lock", Right.STEWARD, Group.ACCESS),
    Place("persons", "/console/privacy/people", "user", Right.STEWARD, Group.ACCESS),
    Place("members", "/console/members", "house", Right.READ, Group.ACCESS, Only.POOL),
    Place("membership", "/console/membership", "house", Right.READ, Group.ACCESS, Only.MEMBER),
    Place("audit", "/console/audit", "history", Right.AUDIT, Group.ACCESS),
    Place("incidents", "/console/incidents", "flag", Right.AUDIT, Group.ACCESS),
    Place("system", "/console/system", "activity", Right.READ, Group.PLATFORM, Only.INSTALLATION),
    Place("jobs", "/console/jobs", "clock", Right.READ, Group.PLATFORM),
    Place("backups", "/console/backups", "database", Right.ADMINISTER, Group.PLATFORM, Only.INSTALLATION),
    Place("first_run", "/console/first-run", "flag", Right.ADMINISTER, only=Only.INSTALLATION),
    Place("account", "/console/account", "user"),
    Place("portal", "/", "house"),
    Place("add_device", "/console/devices/new", "plus", Right.WRITE, is_action=True),
    Place("import_devices", "/console/devices/import", "upload", Right.WRITE, is_action=True),
    Place("import_file", "/console/imports", "upload", Right.READ | Right.WRITE, is_action=True, is_of_all=True),
    Place("invite", "/console/invite", "plus", Right.ADMINISTER, is_action=True),
    Place("add_member", "/console/members/new", "plus", Right.ADMINISTER, only=Only.INSTALLATION, is_action=True),
    Place("new_dashboard", "/console/dashboards/new", "plus", Right.WRITE, is_action=True),
    Place("test_frame", "/console/codecs", "activity", Right.READ, is_action=True),
    Place("export_devices", "/console/devices.csv", "download", Right.READ, is_action=True),
)


def open_to(caller: Caller, here: Here) -> list[Place]:
    return [place for place in PLACES if _is_here(place.only, caller, here) and _may_enter(place, caller)]


def _may_enter(place: Place, caller: Caller) -> bool:
    return place.right is None or place.right in (caller.everywhere if place.is_of_all else caller.rights)


def _is_here(only: Only | None, caller: Caller, here: Here) -> bool:
    match only:
        case None:
            return True
        case Only.INSTALLATION:
            return caller.tenant == DEFAULT_TENANT
        case Only.POOL:
            return here.has_members
        case Only.MEMBER:
            return here.is_member
        case Only.STORY:
            return here.has_story
    assert_never(only)


def ways_of(caller: Caller, here: Here) -> dict[Group, list[Place]]:
    """The rail's, by group: without the domains, and with no group that is empty for the caller but theirs."""
    places = open_to(caller, here)
    ways = {group: [place for place in places if place.group is group] for group in Group}
    return {group: there for group, there in ways.items() if there or group is Group.TERRITORY}


def find_places(places: Sequence[Place], asked: Sequence[str], t: Wording) -> list[Place]:
    """Those of which each word asked for begins a word, the ones that are called so before those that are also."""
    found = [place for place in places if asked and _begins_all(asked, place.words(t))]
    return sorted(found, key=lambda place: not _begins_all(asked, words_in(place.title(t))))


def _begins_all(asked: Sequence[str], words: Sequence[str]) -> bool:
    return all(any(word.startswith(one) for word in words) for one in asked)

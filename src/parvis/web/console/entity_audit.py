"""Who did what to an entity, as the audit trail tells, and when what is stated of it changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from parvis.access.audit_search import AuditQuery, search_audit
from parvis.access.model import AuditRecord
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.query.tree import TemporalQuery, TimeProperty
from parvis.fleet.devices.records import hardware_id_of
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant
from parvis.web.console.audit_words import DEED, FACT, value_text
from parvis.web.site import Site
from parvis.web.views import DEVICE_TYPE
from parvis.web.wording import Wording

LOOKED_AT = 100
"""Of the trail's newest entries that have the text in them."""
MOST_SHOWN = 20
STATED_LOOKED_AT = 24
VERSIONS = 3
Spell = Callable[[Instance], tuple[str, str, str]]
"""Label, number and unit, as the table of attributes has them."""


@dataclass(frozen=True, slots=True)
class Deed:
    at: Instant
    by: str
    action: str
    facts: str


@dataclass(frozen=True, slots=True)
class Stated:
    """What was said of the entity at some time; `number` and `unit` as in the table of attributes."""

    at: Instant
    label: str
    number: str
    unit: str


async def list_deeds(site: Site, caller: Caller, entity: Entity, t: Wording) -> Sequence[Deed]:
    """Newest first; for administrators."""
    if not caller.may(Right.AUDIT):
        return ()
    asked, objects = asked_of(site, entity), {entity.id, asked_of(site, entity)}
    query = AuditQuery(tenants=frozenset({caller.tenant}), text=asked, limit=LOOKED_AT)
    found = (one.record for one in search_audit(site.platform.access.store, query).entries)
    return [_deed(one, t) for one in islice((one for one in found if _concerns(one, objects)), MOST_SHOWN)]


def asked_of(site: Site, entity: Entity) -> str:
    """What finds the deeds in the audit trail: of a device its hardware id, which its entity's id has in it too."""
    is_device = DEVICE_TYPE in map(site.reader.compact, entity.types)
    return hardware_id_of(entity.id) if is_device else entity.id


def _concerns(record: AuditRecord, objects: set[str]) -> bool:
    """The text may be a part of another's id."""
    return not objects.isdisjoint({record.object, *map(str, record.facts.values())})


def _deed(record: AuditRecord, t: Wording) -> Deed:
    by = record.subject.partition(":")[2] or record.subject
    facts = ", ".join(
        t("frame.labelled", name=t.find(f"{FACT}{name}") or name, text=value_text(name, str(value), t))
        for name, value in record.facts.items()
    )
    return Deed(record.at, by, t.find(f"{DEED}{record.action}") or record.action, facts)


async def list_stated(site: Site, caller: Caller, entity: Entity, spell: Spell) -> Sequence[Stated]:
    """What is stated and not measured, as often as it changed, newest first; nothing where the past was erased."""
    names = [one.name for one in entity.instances if one.observed_at is None and one.kind is not Kind.GEO_PROPERTY]
    if not names:
        return ()
    query = TemporalQuery(
        time_property=TimeProperty.MODIFIED_AT, last_n=VERSIONS, attrs=tuple(names[:STATED_LOOKED_AT]), limit=VERSIONS
    )
    history = await site.platform.broker.find_history(caller, entity.id, query)
    if history is None:
        return ()
    changed = [one for versions in history.instances.values() if len(versions) > 1 for one in versions]
    newest = sorted(changed, key=lambda one: -one.modified_at)[:MOST_SHOWN]
    return [Stated(one.modified_at, *spell(one)) for one in newest]

"""An alarm as an entity of type Alert (Smart Data Models, dataModel.Alert), and back.

Theirs are `alertSource`, `detectedBy`, `severity`, `category`, `dateIssued`; the life cycle is Parvis' own, for Alert
has none. Only what has changed is written, so that a rule and a person who write at once keep what each of them told.
"""

from collections.abc import Callable, Mapping
from typing import Any

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Instance, Iri, Json, Kind
from parvis.kernel.time import Instant, format_instant, parse_instant
from parvis.operations.alarms.model import Alarm, Consequence, Deed, Hold, Rationalization, State, Urgency
from parvis.operations.alarms.priority import priority_of

ALERT = "Alert"
STATE = "alarmState"
_PLACE = "location"


class AlarmRecords:
    def __init__(self, expand: Callable[[str], Iri]) -> None:
        self._expand = expand
        self.type_iri = expand(ALERT)
        self.state_iri = expand(STATE)
        self._place = expand(_PLACE)

    def read(self, entity: Entity) -> Alarm | None:
        """None of an Alert that is no alarm of a rule here, by whatever way it came."""
        told = {term: found for term in _TERMS if (found := entity.find(self._expand(term))) is not None}
        if not told.keys() >= {"alertSource", "detectedBy", "alarmActive"}:
            return None
        try:
            alarm = _alarm_of({term: one.value for term, one in told.items()}, told["alarmActive"])
        except (ValueError, KeyError, TypeError):
            return None
        return alarm if alarm.id == entity.id else None

    def stored_state(self, entity: Entity) -> str | None:
        found = entity.find(self.state_iri)
        return None if found is None else found.value

    def change(self, before: Alarm | None, after: Alarm, state: State, source: Entity | None) -> Change:
        """What becomes of it. A new one is where its `source` is, and is seen by who sees that one."""
        old = {} if before is None else _attributes(before)
        new = _attributes(after)
        given = [self._instance(term, new[term], after.since) for term in new if new[term] != old.get(term)]
        given.append(self._instance(STATE, (Kind.PROPERTY, state.value), after.since))
        if before is not None:
            return Change(after.id, Mode.APPEND, tuple(given))
        place = None if source is None else source.find(self._place)
        if place is not None:
            given.append(Instance(self._place, place.kind, place.value))
        scopes = source.scopes if source is not None and source.scopes else None
        return Change(after.id, Mode.UPSERT_UPDATE, tuple(given), (self.type_iri,), scopes)

    def state_change(self, alarm: Alarm, state: State) -> Change:
        return Change(alarm.id, Mode.APPEND, (self._instance(STATE, (Kind.PROPERTY, state.value), 0),))

    def _instance(self, term: str, told: tuple[Kind, Json], since: Instant) -> Instance:
        kind, value = told
        return Instance(self._expand(term), kind, value, observed_at=since if term == "alarmActive" and since else None)


def _attributes(alarm: Alarm) -> dict[str, tuple[Kind, Json]]:
    about = alarm.about
    told: dict[str, tuple[Kind, Json]] = {
        "alertSource": (Kind.RELATIONSHIP, alarm.entity_id),
        "detectedBy": (Kind.RELATIONSHIP, alarm.rule_id),
        "name": (Kind.PROPERTY, about.title),
        "consequence": (Kind.PROPERTY, about.consequence.value),
        "urgency": (Kind.PROPERTY, about.urgency.value),
        "latches": (Kind.PROPERTY, about.latches),
        "severity": (Kind.PROPERTY, priority_of(about).value),
        "alarmActive": (Kind.PROPERTY, alarm.is_active),
    }
    optional = {
        "category": about.category,
        "dateIssued": alarm.occurred_at and {"@type": "DateTime", "@value": format_instant(alarm.occurred_at)},
        "acknowledgment": alarm.acknowledged and _deed(alarm.acknowledged),
        "latchReset": alarm.cleared and _deed(alarm.cleared),
        "shelving": alarm.shelved and _hold(alarm.shelved),
        "suppression": alarm.suppressed and _hold(alarm.suppressed),
        "outOfService": alarm.out_of_service and _hold(alarm.out_of_service),
    }
    told |= {term: (Kind.PROPERTY, value) for term, value in optional.items() if value}
    return told | {"alarmValues": (Kind.JSON_PROPERTY, alarm.values)} if alarm.values else told


_TERMS = (
    *(
        "alertSource",
        "detectedBy",
        "name",
        "consequence",
        "urgency",
        "latches",
        "category",
        "alarmActive",
        "dateIssued",
    ),
    *("acknowledgment", "latchReset", "shelving", "suppression", "outOfService", "alarmValues"),
)


def _alarm_of(told: Mapping[str, Any], active: Instance) -> Alarm:
    about = Rationalization(
        told.get("name", ""),
        Consequence(told["consequence"]),
        Urgency(told["urgency"]),
        bool(told.get("latches")),
        told.get("category", ""),
    )
    return Alarm(
        told["detectedBy"],
        told["alertSource"],
        about,
        active.value is True,
        active.observed_at or 0,
        parse_instant(told["dateIssued"]["@value"]) if "dateIssued" in told else 0,
        told.get("alarmValues", {}),
        _read_deed(told.get("acknowledgment")),
        _read_deed(told.get("latchReset")),
        _read_hold(told.get("shelving")),
        _read_hold(told.get("suppression")),
        _read_hold(told.get("outOfService")),
    )


def _deed(deed: Deed) -> dict[str, Json]:
    told = {"by": deed.by, "at": format_instant(deed.at), "occurrence": format_instant(deed.occurrence)}
    return told | ({"why": deed.why} if deed.why else {})


def _hold(hold: Hold) -> dict[str, Json]:
    told: dict[str, Json] = {"isOn": hold.is_on, "by": hold.by, "at": format_instant(hold.at)}
    told |= {"why": hold.why} if hold.why else {}
    return told | ({} if hold.until is None else {"until": format_instant(hold.until)})


def _read_deed(told: Mapping[str, Any] | None) -> Deed | None:
    if told is None:
        return None
    return Deed(told["by"], parse_instant(told["at"]), told.get("why", ""), parse_instant(told["occurrence"]))


def _read_hold(told: Mapping[str, Any] | None) -> Hold | None:
    if told is None:
        return None
    until = parse_instant(told["until"]) if "until" in told else None
    return Hold(bool(told["isOn"]), told["by"], parse_instant(told["at"]), told.get("why", ""), until)

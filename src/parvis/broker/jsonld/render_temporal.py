"""Temporal evolutions from the model to JSON (NGSI-LD 1.9.1, 4.5.6 to 4.5.9 and 4.5.19)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, TypeVar, assert_never

import msgspec
from msgspec.structs import replace

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.render import (
    InstanceWriter,
    Representation,
    about_entity,
    encode,
    in_language,
    outward_value,
    write_concise_object,
    write_normalized,
)
from parvis.broker.model.entity import TYPE_NAMES, VALUE_MEMBERS, AttributeKey, Instance, Iri, Json, Kind, number_of
from parvis.broker.model.merge import NULL
from parvis.broker.model.scopes import scopes_set
from parvis.broker.ports.store import EntityAggregates, EntityHistory
from parvis.broker.query.tree import Method, TimeProperty
from parvis.broker.temporal.buckets import Buckets, Periods
from parvis.kernel.time import Instant, format_instant

Row = TypeVar("Row")

_LISTS_OF_VALUES: Mapping[Kind, str] = {
    Kind.PROPERTY: "values",
    Kind.GEO_PROPERTY: "values",
    Kind.RELATIONSHIP: "objects",
    Kind.LANGUAGE_PROPERTY: "languageMaps",
    Kind.VOCAB_PROPERTY: "vocabs",
    Kind.JSON_PROPERTY: "jsons",
    Kind.LIST_PROPERTY: "valueLists",
    Kind.LIST_RELATIONSHIP: "objectLists",
}


class TemporalForm(Enum):
    NORMALIZED = "normalized"
    CONCISE = "concise"
    TEMPORAL_VALUES = "temporalValues"


class TemporalRepresentation(msgspec.Struct, frozen=True):
    """How a history is shown. `time_property` gives the time of a temporal value; `pick` and `omit` are as in
    Representation.
    """

    form: TemporalForm = TemporalForm.NORMALIZED
    sys_attrs: bool = False
    lang: tuple[str, ...] = ()
    time_property: TimeProperty = TimeProperty.OBSERVED_AT
    pick: frozenset[Iri] = frozenset()
    omit: frozenset[Iri] = frozenset()

    @property
    def members(self) -> Representation:
        return Representation(pick=self.pick, omit=self.omit)


NORMALIZED_HISTORY: Final = TemporalRepresentation()


def render_history(
    history: EntityHistory, context: Context, options: TemporalRepresentation = NORMALIZED_HISTORY
) -> bytes:
    """The temporal representation of an entity, without @context."""
    asked = options.members
    members = about_entity(history.id, history.types, (), context, asked)
    if asked.shows("scope"):
        members += _scope(history, options)
    if options.sys_attrs and members:
        members += _lifetime(history)
    by_name = {name: rows for name, rows in _by_name(history.instances).items() if asked.shows(name)}
    match options.form:
        case TemporalForm.NORMALIZED | TemporalForm.CONCISE:
            members += [context.labels[name] + _listed(rows, context, options) for name, rows in by_name.items()]
        case TemporalForm.TEMPORAL_VALUES:
            members += [
                context.labels[name] + _valued(name, rows, history.emptied, context, options)
                for name, rows in by_name.items()
            ]
        case _:
            assert_never(options.form)
    return b"{" + b",".join(members) + b"}"


def render_aggregates(
    aggregates: EntityAggregates, context: Context, options: TemporalRepresentation = NORMALIZED_HISTORY
) -> bytes:
    """The aggregated representation (4.5.19): for each method an array of [value, start, end]."""
    asked = options.members
    members = about_entity(aggregates.id, aggregates.types, (), context, asked)
    for name, rows in _by_name(aggregates.buckets).items():
        if not asked.shows(name):
            continue
        shown = [_aggregated(dataset, buckets) for dataset, buckets in rows]
        members.append(context.labels[name] + (shown[0] if len(shown) == 1 else b"[" + b",".join(shown) + b"]"))
    return b"{" + b",".join(members) + b"}"


def _by_name(rows: Mapping[AttributeKey, Row]) -> dict[Iri, list[tuple[str, Row]]]:
    by_name: dict[Iri, list[tuple[str, Row]]] = {}
    for (name, dataset), found in rows.items():
        by_name.setdefault(name, []).append((dataset, found))
    return by_name


def _lifetime(history: EntityHistory) -> list[bytes]:
    moments = {"createdAt": history.created_at, "modifiedAt": history.modified_at, "deletedAt": history.deleted_at}
    return [encode({name: format_instant(at)})[1:-1] for name, at in moments.items() if at is not None]


def _scope(history: EntityHistory, options: TemporalRepresentation) -> list[bytes]:
    """The scopes over time, as a Property that has nothing but times (4.5.6)."""
    scoped = history.scoped
    if not scoped and history.scopes and options.time_property is not TimeProperty.DELETED_AT:
        scoped = (replace(scopes_set(history.scopes, history.created_at), modified_at=history.created_at),)
    if not scoped:
        return []
    if options.form is TemporalForm.TEMPORAL_VALUES:
        pairs = [[_one_or_all(one.value), format_instant(_TIMES[options.time_property](one))] for one in scoped]
        return [b'"scope":' + encode({"type": TYPE_NAMES[Kind.PROPERTY], "values": pairs})]
    return [b'"scope":' + encode([_scoped(one, options) for one in scoped])]


def _scoped(one: Instance, options: TemporalRepresentation) -> dict[str, object]:
    shown: dict[str, object] = {"type": TYPE_NAMES[Kind.PROPERTY], "value": _one_or_all(one.value)}
    if not one.value:
        return {**shown, "deletedAt": format_instant(one.seen_at)}
    shown["observedAt"] = format_instant(one.seen_at)
    if options.sys_attrs:
        shown["createdAt"] = shown["modifiedAt"] = format_instant(one.modified_at)
    return shown


def _one_or_all(scopes: Sequence[str]) -> object:
    return scopes[0] if len(scopes) == 1 else scopes


def _listed(rows: Sequence[tuple[str, list[Instance]]], context: Context, options: TemporalRepresentation) -> bytes:
    write = write_normalized if options.form is TemporalForm.NORMALIZED else write_concise_object
    return b"[" + b",".join(_numbered(rows, context, options, write)) + b"]"


def _numbered(
    rows: Sequence[tuple[str, list[Instance]]], context: Context, options: TemporalRepresentation, write: InstanceWriter
) -> Iterable[bytes]:
    for _, instances in rows:
        for one in instances:
            is_deleted = one.value == NULL and type(one.value) is str
            text = _deleted(one) if is_deleted else write(_spoken(one, options), context, options.sys_attrs)
            yield text[:-1] + b',"instanceId":"urn:ngsi-ld:Instance:%d"}' % number_of(one)


def _deleted(instance: Instance) -> bytes:
    """What history tells of an attribute from the time on when it was gone (4.5.7)."""
    shown: dict[str, object] = {"type": TYPE_NAMES[instance.kind], VALUE_MEMBERS[instance.kind]: _null(instance.kind)}
    if instance.dataset:
        shown["datasetId"] = instance.dataset
    if instance.observed_at is not None:
        shown["observedAt"] = format_instant(instance.observed_at)
    return encode({**shown, "deletedAt": format_instant(instance.seen_at)})


def _null(kind: Kind) -> object:
    return {"@none": NULL} if kind is Kind.LANGUAGE_PROPERTY else NULL


def _spoken(instance: Instance, options: TemporalRepresentation) -> Instance:
    if options.lang and instance.kind is Kind.LANGUAGE_PROPERTY and instance.value != NULL:
        return in_language(instance, options.lang)
    return instance


def _valued(
    name: Iri,
    rows: Sequence[tuple[str, list[Instance]]],
    emptied: Mapping[AttributeKey, Kind],
    context: Context,
    options: TemporalRepresentation,
) -> bytes:
    shown = [
        one
        for dataset, instances in rows
        for one in _values_by_kind(dataset, [_spoken(one, options) for one in instances], context, options)
        or _no_values(dataset, emptied.get((name, dataset)))
    ]
    return encode(shown[0] if len(shown) == 1 else shown)


def _no_values(dataset: str, kind: Kind | None) -> list[dict[str, object]]:
    about: dict[str, object] = {"datasetId": dataset} if dataset else {}
    return [] if kind is None else [{"type": TYPE_NAMES[kind], **about, _LISTS_OF_VALUES[kind]: []}]


def _values_by_kind(
    dataset: str, instances: Sequence[Instance], context: Context, options: TemporalRepresentation
) -> list[dict[str, object]]:
    """One simplified temporal attribute, or several where its kind changed over time."""
    time_of = _TIMES[options.time_property]
    by_kind: dict[Kind, list[list[object]]] = {}
    for one in instances:
        pair = [_simplified(one.kind, one.value, context), format_instant(time_of(one))]
        by_kind.setdefault(one.kind, []).append(pair)
    about: dict[str, object] = {"datasetId": dataset} if dataset else {}
    return [{"type": TYPE_NAMES[kind], **about, _LISTS_OF_VALUES[kind]: pairs} for kind, pairs in by_kind.items()]


def _simplified(kind: Kind, value: Json, context: Context) -> Json:
    """As in the simplified representation of an entity (4.5.4), the objects of a list without wraps (4.5.9)."""
    if type(value) is str and value == NULL:
        value = _null(kind)
    elif kind is Kind.VOCAB_PROPERTY:
        value = outward_value(kind, value, context)
    return {VALUE_MEMBERS[kind]: value} if kind in _WRAPPED else value


_WRAPPED = frozenset({Kind.LANGUAGE_PROPERTY, Kind.VOCAB_PROPERTY, Kind.JSON_PROPERTY})


# What was not observed stands at the time it was recorded, as it does in the store's order of time.
_TIMES: Mapping[TimeProperty, Callable[[Instance], Instant]] = {
    TimeProperty.OBSERVED_AT: lambda one: one.seen_at,
    TimeProperty.CREATED_AT: lambda one: one.created_at,
    TimeProperty.MODIFIED_AT: lambda one: one.modified_at,
    TimeProperty.DELETED_AT: lambda one: one.seen_at,
}


def _aggregated(dataset: str, buckets: Buckets) -> bytes:
    about: dict[str, object] = {"type": TYPE_NAMES[Kind.PROPERTY]}
    if dataset:
        about["datasetId"] = dataset
    closings = _closings(buckets.periods)
    shown = (b'"%s":%s' % (method.value.encode(), _triples(buckets, method, closings)) for method in buckets.columns)
    return b"{" + b",".join((encode(about)[1:-1], *shown)) + b"}"


def _triples(buckets: Buckets, method: Method, closings: Sequence[bytes]) -> bytes:
    """[value, start, end] of each period. No comma is in a number, and each is followed by what its period is closed by
    and the next one opened.
    """
    values, places = buckets.list_values(method)
    if not values:
        return b"[]"
    parts = [b""] * (2 * len(values))
    parts[::2] = map(encode, values) if buckets.columns[method].dtype == object else encode(values)[1:-1].split(b",")
    parts[1::2] = map(closings.__getitem__, places)
    return b"[[" + b"".join(parts)[:-2] + b"]"


def _closings(periods: Periods) -> Sequence[bytes]:
    if not periods.rendered:
        starts = (format_instant(start).encode() for start, _ in periods.spans)
        ends = (format_instant(end).encode() for _, end in periods.spans)
        periods.rendered.extend(b',"%s","%s"],[' % span for span in zip(starts, ends, strict=True))
    return periods.rendered

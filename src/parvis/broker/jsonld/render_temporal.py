"""Temporal evolutions from the model to JSON (NGSI-LD 1.9.1, 4.5.6 to 4.5.9 and 4.5.19)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, TypeVar, assert_never

import msgspec

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
from parvis.broker.model.entity import TYPE_NAMES, AttributeKey, Instance, Iri, Kind
from parvis.broker.ports.store import Bucket, EntityAggregates, EntityHistory
from parvis.broker.query.tree import Method, TimeProperty
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
    """How a history is shown. `time_property` gives the time of a temporal value."""

    form: TemporalForm = TemporalForm.NORMALIZED
    sys_attrs: bool = False
    lang: tuple[str, ...] = ()
    time_property: TimeProperty = TimeProperty.OBSERVED_AT


NORMALIZED_HISTORY: Final = TemporalRepresentation()
_ALL: Final = Representation()


def render_history(
    history: EntityHistory, context: Context, options: TemporalRepresentation = NORMALIZED_HISTORY
) -> bytes:
    """The temporal representation of an entity, without @context."""
    members = about_entity(history.id, history.types, history.scopes, context, _ALL)
    if options.sys_attrs:
        members += _lifetime(history)
    by_name = _by_name(history.instances)
    match options.form:
        case TemporalForm.NORMALIZED | TemporalForm.CONCISE:
            members += [context.labels[name] + _listed(rows, context, options) for name, rows in by_name.items()]
        case TemporalForm.TEMPORAL_VALUES:
            members += [context.labels[name] + _valued(rows, context, options) for name, rows in by_name.items()]
        case _:
            assert_never(options.form)
    return b"{" + b",".join(members) + b"}"


def render_aggregates(aggregates: EntityAggregates, context: Context) -> bytes:
    """The aggregated representation (4.5.19): for each method an array of [value, start, end]."""
    members = about_entity(aggregates.id, aggregates.types, (), context, _ALL)
    for name, rows in _by_name(aggregates.buckets).items():
        shown = [_aggregated(dataset, buckets) for dataset, buckets in rows]
        members.append(context.labels[name] + encode(shown[0] if len(shown) == 1 else shown))
    return b"{" + b",".join(members) + b"}"


def _by_name(rows: Mapping[AttributeKey, list[Row]]) -> dict[Iri, list[tuple[str, list[Row]]]]:
    by_name: dict[Iri, list[tuple[str, list[Row]]]] = {}
    for (name, dataset), found in rows.items():
        by_name.setdefault(name, []).append((dataset, found))
    return by_name


def _lifetime(history: EntityHistory) -> list[bytes]:
    moments = {"createdAt": history.created_at, "modifiedAt": history.modified_at, "deletedAt": history.deleted_at}
    return [encode({name: format_instant(at)})[1:-1] for name, at in moments.items() if at is not None]


def _listed(rows: Sequence[tuple[str, list[Instance]]], context: Context, options: TemporalRepresentation) -> bytes:
    write = write_normalized if options.form is TemporalForm.NORMALIZED else write_concise_object
    return b"[" + b",".join(_numbered(rows, context, options, write)) + b"]"


def _numbered(
    rows: Sequence[tuple[str, list[Instance]]], context: Context, options: TemporalRepresentation, write: InstanceWriter
) -> Iterable[bytes]:
    for _, instances in rows:
        for one in instances:
            text = write(_spoken(one, options), context, options.sys_attrs)
            yield text[:-1] + b',"instanceId":"urn:ngsi-ld:Instance:%d"}' % one.seq


def _spoken(instance: Instance, options: TemporalRepresentation) -> Instance:
    if options.lang and instance.kind is Kind.LANGUAGE_PROPERTY:
        return in_language(instance, options.lang)
    return instance


def _valued(rows: Sequence[tuple[str, list[Instance]]], context: Context, options: TemporalRepresentation) -> bytes:
    shown = [
        one
        for dataset, instances in rows
        for one in _values_by_kind(dataset, [_spoken(one, options) for one in instances], context, options)
    ]
    return encode(shown[0] if len(shown) == 1 else shown)


def _values_by_kind(
    dataset: str, instances: Sequence[Instance], context: Context, options: TemporalRepresentation
) -> list[dict[str, object]]:
    """One simplified temporal attribute, or several where its kind changed over time."""
    time_of = _TIMES[options.time_property]
    by_kind: dict[Kind, list[list[object]]] = {}
    for one in instances:
        pair = [outward_value(one.kind, one.value, context), format_instant(time_of(one))]
        by_kind.setdefault(one.kind, []).append(pair)
    about: dict[str, object] = {"datasetId": dataset} if dataset else {}
    return [{"type": TYPE_NAMES[kind], **about, _LISTS_OF_VALUES[kind]: pairs} for kind, pairs in by_kind.items()]


# What was not observed stands at the time it was recorded, as it does in the store's order of time.
_TIMES: Mapping[TimeProperty, Callable[[Instance], Instant]] = {
    TimeProperty.OBSERVED_AT: lambda one: one.seen_at,
    TimeProperty.CREATED_AT: lambda one: one.created_at,
    TimeProperty.MODIFIED_AT: lambda one: one.modified_at,
}


def _aggregated(dataset: str, buckets: Sequence[Bucket]) -> dict[str, object]:
    shown: dict[str, object] = {"type": TYPE_NAMES[Kind.PROPERTY]}
    if dataset:
        shown["datasetId"] = dataset
    methods: dict[Method, None] = dict.fromkeys(method for bucket in buckets for method in bucket.values)
    for method in methods:
        shown[method.value] = [
            [value, format_instant(bucket.start), format_instant(bucket.end)]
            for bucket in buckets
            if (value := bucket.values.get(method)) is not None
        ]
    return shown

"""Entities from the model to JSON, in every form (NGSI-LD 1.9.1, 4.5): bytes joined by hand where it is hot."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, assert_never

import msgspec

from parvis.broker.jsonld.context import Context, link_to
from parvis.broker.jsonld.geojson import is_geometry
from parvis.broker.jsonld.names import Memo
from parvis.broker.model.entity import INSTANCE_NUMBER, TYPE_NAMES, VALUE_MEMBERS, Entity, Instance, Iri, Json, Kind
from parvis.broker.model.expiry import EXPIRES_AT
from parvis.kernel.time import Instant, format_instant

encode: Final = msgspec.json.Encoder().encode

GEOMETRY_PROPERTY: Final = "https://uri.etsi.org/ngsi-ld/location"
CORE_MEMBERS: Final = frozenset({"id", "type", "scope"})
MAX_KEPT: Final = 8


class Form(IntEnum):
    NORMALIZED = 1
    CONCISE = 2
    SIMPLIFIED = 3


class Representation(msgspec.Struct, frozen=True):
    """What of an entity is shown, and how (6.3.7, 4.21).

    `attrs` and `pick` keep what they name, `omit` leaves it out: expanded names; pick and omit also know id, type and
    scope. `datasets` keeps instances of these ("@none": the default one). `lang` turns language maps into text:
    language tags, the best first.
    """

    form: Form = Form.NORMALIZED
    sys_attrs: bool = False
    lang: tuple[str, ...] = ()
    attrs: frozenset[Iri] = frozenset()
    pick: frozenset[Iri] = frozenset()
    omit: frozenset[Iri] = frozenset()
    datasets: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        return not (self.attrs or self.pick or self.omit or self.lang or self.datasets)

    def shows(self, member: str) -> bool:
        return member not in self.omit and (not self.pick or member in self.pick)


NORMALIZED: Final = Representation()

InstanceWriter = Callable[[Instance, Context, bool], bytes]

_TEXTS: Memo[Instant, bytes] = Memo(lambda instant: b'"' + format_instant(instant).encode() + b'"', 16_384)
_OPENINGS: Mapping[Kind, bytes] = {
    kind: f'{{"type":"{name}","{VALUE_MEMBERS[kind]}":'.encode() for kind, name in TYPE_NAMES.items()
}
_CONCISE_OPENINGS: Mapping[Kind, bytes] = {kind: f'{{"{member}":'.encode() for kind, member in VALUE_MEMBERS.items()}
_TRANSLATED = frozenset({Kind.VOCAB_PROPERTY, Kind.LIST_RELATIONSHIP})
_VOCABULARY_MEMBERS = frozenset({"vocab", "objectType", "valueType", "entityTypeSealed"})


def render_entity(entity: Entity, context: Context, representation: Representation = NORMALIZED) -> bytes:
    """The entity as a JSON object without @context; see `with_context`. Whole ones are kept in `entity.rendered`."""
    if not representation.is_whole:
        return _render(entity, context, representation)
    key = (context.key, representation.form, representation.sys_attrs)
    text = entity.rendered.get(key)
    if text is None:
        if len(entity.rendered) >= MAX_KEPT:
            entity.rendered.clear()
        text = entity.rendered[key] = _render(entity, context, representation)
    return text


def render_page(entities: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(entities) + b"]"


def with_context(body: bytes, context: Context) -> bytes:
    """The object of `body` with the @context member, for application/ld+json (6.3.5)."""
    member = b'"@context":' + encode(context.source) + b"}"
    return body[:-1] + member if body == b"{}" else body[:-1] + b"," + member


def context_link(context: Context) -> str | None:
    """The Link header for application/json, or None for a context that is no URL."""
    return link_to(context.source) if isinstance(context.source, str) else None


def render_feature(
    entity: Entity,
    context: Context,
    representation: Representation = NORMALIZED,
    geometry_property: Iri = GEOMETRY_PROPERTY,
) -> bytes:
    """The entity as a GeoJSON Feature (4.5.16); its geometry is null where it has none."""
    place = entity.find(geometry_property)
    is_place = place is not None and place.kind is Kind.GEO_PROPERTY
    geometry = encode(place.value) if place is not None and is_place else b"null"
    properties = _members(entity, context, representation, with_id=False)
    return b"".join(
        (
            b'{"id":',
            encode(entity.id),
            b',"type":"Feature","geometry":',
            geometry,
            b',"properties":{',
            b",".join(properties),
            b"}}",
        )
    )


def render_feature_collection(features: Iterable[bytes]) -> bytes:
    return b'{"type":"FeatureCollection","features":[' + b",".join(features) + b"]}"


def _render(entity: Entity, context: Context, representation: Representation) -> bytes:
    return b"{" + b",".join(_members(entity, context, representation, with_id=True)) + b"}"


def _members(entity: Entity, context: Context, representation: Representation, *, with_id: bool) -> list[bytes]:
    members = about_entity(entity.id, entity.types, entity.scopes, context, representation)
    if representation.sys_attrs:
        members += [b'"createdAt":' + _TEXTS[entity.created_at], b'"modifiedAt":' + _TEXTS[entity.modified_at]]
        if entity.expires_at is not None:
            members.append(b'"expiresAt":' + _TEXTS[entity.expires_at])
    instances = entity.instances if representation.is_whole else _shown(entity.instances, representation)
    attributes = _attributes(instances, context, representation)
    return (members if with_id or not representation.shows("id") else members[1:]) + attributes


def about_entity(
    entity_id: str, types: tuple[Iri, ...], scopes: tuple[str, ...], context: Context, representation: Representation
) -> list[bytes]:
    members = []
    if representation.shows("id"):
        members.append(b'"id":' + encode(entity_id))
    if representation.shows("type"):
        members.append(b'"type":' + encode_one_or_list([context.compacted[iri] for iri in types]))
    if scopes and representation.shows("scope"):
        members.append(b'"scope":' + encode_one_or_list(scopes))
    return members


def encode_one_or_list(parts: Sequence[Any]) -> bytes:
    return encode(parts[0] if len(parts) == 1 else parts)


def _shown(instances: Iterable[Instance], representation: Representation) -> list[Instance]:
    attrs, lang, datasets = representation.attrs, representation.lang, representation.datasets
    return [
        in_language(one, lang) if lang and one.kind is Kind.LANGUAGE_PROPERTY else one
        for one in instances
        if representation.shows(one.name)
        and (not attrs or one.name in attrs)
        and (not datasets or (one.dataset or "@none") in datasets)
    ]


def in_language(instance: Instance, languages: Sequence[str]) -> Instance:
    """The Property that a LanguageProperty becomes in the best of the languages it has (4.5.18.4)."""
    available: dict[str, Json] = instance.value
    chosen = next((tag for wish in languages for tag in available if _speaks(tag, wish)), None)
    if chosen is None:
        chosen = "@none" if "@none" in available else next(iter(available))
    extra = {**(instance.extra or {}), "lang": chosen}
    return msgspec.structs.replace(instance, kind=Kind.PROPERTY, value=available[chosen], extra=extra)


def _speaks(tag: str, wish: str) -> bool:
    have, want = tag.lower(), wish.lower()
    return want == "*" or have == want or have.startswith(f"{want}-") or want.startswith(f"{have}-")


def _attributes(instances: Sequence[Instance], context: Context, representation: Representation) -> list[bytes]:
    write = _writer(representation.form)
    sys_attrs = representation.sys_attrs
    texts: dict[Iri, bytes] = {}
    several: set[Iri] = set()
    for instance in instances:
        name = instance.name
        text = write(instance, context, sys_attrs)
        if name in texts:
            several.add(name)
        texts[name] = text
    labels = context.labels
    for name in several:
        group = [one for one in instances if one.name == name]
        texts[name] = _write_several(group, context, representation)
    return [labels[name] + text for name, text in texts.items()]


def _write_several(instances: Iterable[Instance], context: Context, representation: Representation) -> bytes:
    if representation.form is Form.SIMPLIFIED:
        return encode({"dataset": {one.dataset or "@none": _simplified(one, context) for one in instances}})
    write = write_normalized if representation.form is Form.NORMALIZED else write_concise_object
    return render_page(write(one, context, representation.sys_attrs) for one in instances)


def _writer(form: Form) -> InstanceWriter:
    match form:
        case Form.NORMALIZED:
            return write_normalized
        case Form.CONCISE:
            return write_concise
        case Form.SIMPLIFIED:
            return _write_simplified
        case _:
            assert_never(form)


def write_normalized(instance: Instance, context: Context, sys_attrs: bool) -> bytes:
    kind = instance.kind
    value = instance.value if kind not in _TRANSLATED else outward_value(kind, instance.value, context)
    text = _OPENINGS[kind] + encode(value)
    if instance.observed_at is not None:
        text += b',"observedAt":' + _TEXTS[instance.observed_at]
    if instance.unit_code:
        text += b',"unitCode":' + encode(instance.unit_code)
    return text + _rest(instance, context, sys_attrs) + b"}"


def _rest(instance: Instance, context: Context, sys_attrs: bool, *, concise: bool = False) -> bytes:
    text = b""
    if instance.dataset:
        text = b',"datasetId":' + encode(instance.dataset)
    if instance.extra:
        told = encode(outward_extra(instance.extra, context, concise=concise, sys_attrs=sys_attrs))[1:-1]
        if told:
            text += b"," + told
    if sys_attrs:
        text += b',"createdAt":' + _TEXTS[instance.created_at] + b',"modifiedAt":' + _TEXTS[instance.modified_at]
    return text


def write_concise(instance: Instance, context: Context, sys_attrs: bool) -> bytes:
    """Without the type where the value tells it, and without the object where there is nothing but the value."""
    is_bare = not (instance.unit_code or instance.dataset or instance.extra or sys_attrs)
    if is_bare and instance.observed_at is None and _speaks_for_itself(instance.kind, instance.value):
        return encode(instance.value)
    return write_concise_object(instance, context, sys_attrs)


def write_concise_object(instance: Instance, context: Context, sys_attrs: bool) -> bytes:
    kind = instance.kind
    value = outward_value(kind, instance.value, context)
    opening = _OPENINGS if kind is Kind.PROPERTY and is_geometry(value) else _CONCISE_OPENINGS
    text = opening[kind] + encode(value)
    if instance.observed_at is not None:
        text += b',"observedAt":' + _TEXTS[instance.observed_at]
    if instance.unit_code:
        text += b',"unitCode":' + encode(instance.unit_code)
    return text + _rest(instance, context, sys_attrs, concise=True) + b"}"


def _speaks_for_itself(kind: Kind, value: Json) -> bool:
    if kind is Kind.GEO_PROPERTY:
        return True
    return kind is Kind.PROPERTY and type(value) is not dict and type(value) is not list


def _write_simplified(instance: Instance, context: Context, _: bool) -> bytes:
    return encode(_simplified(instance, context))


def _simplified(instance: Instance, context: Context) -> Json:
    kind, value = instance.kind, instance.value
    match kind:
        case Kind.PROPERTY | Kind.GEO_PROPERTY | Kind.RELATIONSHIP | Kind.LIST_PROPERTY | Kind.LIST_RELATIONSHIP:
            return value
        case Kind.LANGUAGE_PROPERTY | Kind.VOCAB_PROPERTY | Kind.JSON_PROPERTY:
            return {VALUE_MEMBERS[kind]: outward_value(kind, value, context)}
        case _:
            assert_never(kind)


def outward_value(kind: Kind, value: Json, context: Context) -> Json:
    if kind is Kind.VOCAB_PROPERTY:
        return _compacted(value, context)
    if kind is Kind.LIST_RELATIONSHIP:
        return [{"object": uri} for uri in value]
    return value


def _compacted(value: Json, context: Context) -> Json:
    if type(value) is list:
        return [_compacted(one, context) for one in value]
    return context.compacted[value] if type(value) is str else value


def outward_extra(
    extra: Mapping[str, Json], context: Context, *, concise: bool = False, sys_attrs: bool = True
) -> dict[str, Json]:
    """`Instance.extra` as a user sees it: names compacted all the way down. IRIs have a colon, core members none."""
    outward: dict[str, Json] = {}
    for name, body in extra.items():
        if ":" in name:
            outward[context.compacted[name]] = _outward_sub(body, context, concise, sys_attrs)
        elif name in _VOCABULARY_MEMBERS:
            outward[name] = _compacted(body, context)
        elif name != INSTANCE_NUMBER and (sys_attrs or name != EXPIRES_AT):
            outward[name] = outward_value(Kind.LIST_RELATIONSHIP, body, context) if name == "objectList" else body
    return outward


def _outward_sub(body: Json, context: Context, concise: bool, sys_attrs: bool) -> Json:
    if type(body) is list:
        return [_outward_sub(one, context, concise, sys_attrs) for one in body]
    if type(body) is not dict:
        return body
    outward = outward_extra(body, context, concise=concise, sys_attrs=sys_attrs)
    if concise and not (outward.get("type") == "Property" and is_geometry(outward.get("value"))):
        outward.pop("type", None)
    return outward

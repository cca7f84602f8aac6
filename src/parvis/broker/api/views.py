"""How a reader wants entities shown, and the answer that shows them so (NGSI-LD 1.9.1, 6.3.4, 6.3.7 and 4.21)."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from parvis.broker.api.media import Media, wants_context_inside
from parvis.broker.api.parameters import Parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Headers, Response, bytes_response, context_headers
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.languages import languages
from parvis.broker.jsonld.render import (
    GEOMETRY_PROPERTY,
    Form,
    Representation,
    render_entity,
    render_feature,
    render_feature_collection,
    render_page,
    with_context,
)
from parvis.broker.jsonld.render_linked import Inliner, linked_representation
from parvis.broker.linked import Neighbours
from parvis.broker.model.entity import Entity, Iri
from parvis.broker.query.linking import MOST_LEVELS, Join, Linking, Shown
from parvis.broker.query.projection import Projection, parse_projection
from parvis.kernel.errors import BadRequestData, ResourceNotFound

FORMS = {
    "normalized": Form.NORMALIZED,
    "concise": Form.CONCISE,
    "simplified": Form.SIMPLIFIED,
    "keyValues": Form.SIMPLIFIED,
}
_OPTIONS = frozenset(FORMS) | {"sysAttrs"}
_EMPTY = b"{}"


class View(msgspec.Struct, frozen=True):
    """`linking` is how linked entities are shown, None where they are not (4.5.23)."""

    representation: Representation
    geometry_property: Iri = GEOMETRY_PROPERTY
    linking: Linking | None = None
    shown: Shown = Shown()


@lru_cache(maxsize=512)
def read_view(parameters: Parameters, context: Context) -> View:
    options = parameters.options(_OPTIONS)
    linking = read_linking(parameters)
    pick, omit = (parse_projection(parameters.text(name), name, context) for name in ("pick", "omit"))
    _check_projections(pick, omit, linking, has_attrs="attrs" in parameters)
    representation = Representation(
        _form(options),
        "sysAttrs" in options,
        languages(parameters.text("lang")),
        frozenset(context.expand(name) for name in parameters.words("attrs")),
        pick.names,
        omit.leaves,
        frozenset(parameters.words("datasetId")),
    )
    geometry_property = parameters.text("geometryProperty")
    return View(
        representation,
        GEOMETRY_PROPERTY if geometry_property is None else context.expand(geometry_property),
        linking,
        Shown(pick, omit),
    )


def read_linking(parameters: Parameters) -> Linking | None:
    """join, joinLevel and containedBy (6.4.3.2). Raises BadRequestData."""
    join = parameters.text("join")
    levels = parameters.integer("joinLevel", 1, 1)
    if levels > MOST_LEVELS:
        raise BadRequestData(f"joinLevel goes to {MOST_LEVELS}, not to {levels}.")
    if join is None or join == "@none":
        return None
    if join not in _JOINS:
        raise BadRequestData(f"join is one of {', '.join(_JOINS)} and @none, not {join!r:.40}.")
    return Linking(_JOINS[join], levels, frozenset(parameters.words("containedBy")))


_JOINS = {join.value: join for join in Join}


def _check_projections(pick: Projection, omit: Projection, linking: Linking | None, *, has_attrs: bool) -> None:
    """What may not stand together (5.7.1.4, 5.7.2.4)."""
    if has_attrs and (pick.members or omit.members):
        raise BadRequestData("attrs goes neither with pick nor with omit.")
    if pick.leaves & omit.leaves:
        raise BadRequestData("pick and omit name the same member.")
    levels = 0 if linking is None else linking.levels
    if max(pick.depth, omit.depth) > levels:
        raise BadRequestData("pick or omit name members of linked entities further away than join and joinLevel go.")


def check_geometry_property(request: Request, media: Media) -> None:
    if "geometryProperty" in request.parameters and media is not Media.GEO_JSON:
        raise BadRequestData("geometryProperty goes with Accept: application/geo+json, and only with it.")


def check_named(request: Request, view: View) -> None:
    """Raises Forbidden where an attribute is asked for by its name that is hidden from the caller."""
    if request.caller.hides is not None:
        shown = view.representation
        request.broker.sight(request.caller).check_named({*shown.attrs, *shown.pick})


def one_response(
    request: Request,
    entity: Entity,
    view: View,
    context: Context,
    media: Media,
    linked: Neighbours | None = None,
) -> Response:
    """Flat linked entities make a list of it (5.7.1.5). Raises ResourceNotFound where nothing of it is shown."""
    if linked is not None and linked.inward and _is_flat(view):
        return page_response(request, (entity,), view, context, media, (), linked)
    [entity] = _with_neighbours([entity], view, context, linked)
    if media is Media.GEO_JSON:
        body = render_feature(entity, context, view.representation, view.geometry_property)
        return _geo_response(request, body, context)
    body = render_entity(entity, context, view.representation)
    if body == _EMPTY:
        raise ResourceNotFound(f"The entity {entity.id} has nothing of what is asked for.")
    return object_response(body, context, media)


def page_response(
    request: Request,
    entities: Sequence[Entity],
    view: View,
    context: Context,
    media: Media,
    headers: Headers,
    linked: Neighbours | None = None,
) -> Response:
    """An entity that nothing is shown of is left out."""
    entities = _with_neighbours(entities, view, context, linked)
    everyone = [(one, view.representation) for one in entities]
    if linked is not None and _is_flat(view):
        everyone += [(one, linked_representation(view.representation, shown)) for one, shown in linked.inward]
    if media is Media.GEO_JSON:
        features = (render_feature(one, context, shown, view.geometry_property) for one, shown in everyone)
        return _geo_response(request, render_feature_collection(features), context, headers)
    bodies = [render_entity(one, context, shown) for one, shown in everyone]
    return list_response([one for one in bodies if one != _EMPTY], context, media, headers)


def _is_flat(view: View) -> bool:
    return view.linking is not None and view.linking.join is Join.FLAT


def _with_neighbours(
    entities: Sequence[Entity], view: View, context: Context, linked: Neighbours | None
) -> Sequence[Entity]:
    if linked is None or view.linking is None or _is_flat(view):
        return entities
    inliner = Inliner(context, view.representation, linked.known)
    return [inliner.inlined(one, view.linking.levels, view.shown) for one in entities]


def _geo_response(request: Request, body: bytes, context: Context, headers: Headers = ()) -> Response:
    if wants_context_inside(request.headers.get(b"prefer", b"")):
        return bytes_response(with_context(body, context), Media.GEO_JSON, headers=headers)
    return bytes_response(body, Media.GEO_JSON, headers=headers + context_headers(context))


def object_response(body: bytes, context: Context, media: Media, status: int = 200, headers: Headers = ()) -> Response:
    """A rendered object with its @context where the media type puts it (6.3.5)."""
    if media is Media.JSON_LD:
        return bytes_response(with_context(body, context), media, status, headers)
    return bytes_response(body, media, status, headers + context_headers(context))


def list_response(
    bodies: Sequence[bytes], context: Context, media: Media, headers: Headers = (), status: int = 200
) -> Response:
    if media is Media.JSON_LD:
        return bytes_response(render_page(with_context(one, context) for one in bodies), media, status, headers)
    return bytes_response(render_page(bodies), media, status, headers + context_headers(context))


def _form(options: frozenset[str]) -> Form:
    asked = {FORMS[option] for option in options if option in FORMS}
    if len(asked) > 1:
        raise BadRequestData("Ask for one form only: normalized, concise or simplified (keyValues).")
    return asked.pop() if asked else Form.NORMALIZED

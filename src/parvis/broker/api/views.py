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
    CORE_MEMBERS,
    GEOMETRY_PROPERTY,
    Form,
    Representation,
    render_entity,
    render_feature,
    render_feature_collection,
    render_page,
    with_context,
)
from parvis.broker.model.entity import Entity, Iri
from parvis.kernel.errors import BadRequestData

FORMS = {
    "normalized": Form.NORMALIZED,
    "concise": Form.CONCISE,
    "simplified": Form.SIMPLIFIED,
    "keyValues": Form.SIMPLIFIED,
}
_OPTIONS = frozenset(FORMS) | {"sysAttrs"}


class View(msgspec.Struct, frozen=True):
    representation: Representation
    geometry_property: Iri = GEOMETRY_PROPERTY


@lru_cache(maxsize=512)
def read_view(parameters: Parameters, context: Context) -> View:
    options = parameters.options(_OPTIONS)
    representation = Representation(
        _form(options),
        "sysAttrs" in options,
        languages(parameters.text("lang")),
        expanded(parameters.words("attrs"), context),
        expanded(parameters.words("pick"), context),
        expanded(parameters.words("omit"), context),
        frozenset(parameters.words("datasetId")),
    )
    geometry_property = parameters.text("geometryProperty")
    return View(representation, GEOMETRY_PROPERTY if geometry_property is None else context.expand(geometry_property))


def expanded(names: Sequence[str], context: Context) -> frozenset[Iri]:
    return frozenset(name if name in CORE_MEMBERS else context.expand(name) for name in names)


def check_geometry_property(request: Request, media: Media) -> None:
    if "geometryProperty" in request.parameters and media is not Media.GEO_JSON:
        raise BadRequestData("geometryProperty goes with Accept: application/geo+json, and only with it.")


def one_response(request: Request, entity: Entity, view: View, context: Context, media: Media) -> Response:
    if media is Media.GEO_JSON:
        body = render_feature(entity, context, view.representation, view.geometry_property)
        return _geo_response(request, body, context)
    return object_response(render_entity(entity, context, view.representation), context, media)


def page_response(
    request: Request, entities: Sequence[Entity], view: View, context: Context, media: Media, headers: Headers
) -> Response:
    if media is Media.GEO_JSON:
        features = (render_feature(one, context, view.representation, view.geometry_property) for one in entities)
        return _geo_response(request, render_feature_collection(features), context, headers)
    bodies = [render_entity(one, context, view.representation) for one in entities]
    return list_response(bodies, context, media, headers)


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

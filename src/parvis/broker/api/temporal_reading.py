"""What is asked of each entity's past, from query parameters (NGSI-LD 1.9.1, 4.11, 5.7.3, 5.7.4 and 6.18.3.2)."""

from collections.abc import Mapping

import msgspec

from parvis.broker.api.parameters import Parameters
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.languages import languages
from parvis.broker.jsonld.render import CORE_MEMBERS
from parvis.broker.jsonld.render_temporal import TemporalForm, TemporalRepresentation
from parvis.broker.model.entity import Iri
from parvis.broker.query.projection import parse_projection
from parvis.broker.query.tree import Aggregation, Order, TemporalQuery, TimeProperty
from parvis.broker.temporal.parse import parse_aggregation, parse_temporal_query
from parvis.kernel.errors import BadRequestData

_FORMS = {
    "normalized": TemporalForm.NORMALIZED,
    "concise": TemporalForm.CONCISE,
    "temporalValues": TemporalForm.TEMPORAL_VALUES,
    "simplified": TemporalForm.TEMPORAL_VALUES,
}
_AGGREGATED = "aggregatedValues"
_OPTIONS = frozenset(_FORMS) | {_AGGREGATED, "sysAttrs"}
_ORDERS: Mapping[str | None, Order] = {
    None: Order.FIRST_KNOWN,
    "id": Order.ID,
    "id;asc": Order.ID,
    "id;desc": Order.ID_DESCENDING,
}


class TemporalReading(msgspec.Struct, frozen=True):
    """`aggregation` is None where the instances themselves are asked for."""

    query: TemporalQuery
    representation: TemporalRepresentation
    aggregation: Aggregation | None
    order: Order


def read_temporal(parameters: Parameters, context: Context, most_instances: int) -> TemporalReading:
    """Raises BadRequestData, InvalidRequest."""
    options = parameters.options(_OPTIONS)
    pick, omit = (_members(parameters, name, context) for name in ("pick", "omit"))
    _check_members(parameters, pick, omit)
    query = parse_temporal_query(
        parameters.text("timerel"),
        parameters.text("timeAt"),
        parameters.text("endTimeAt"),
        parameters.text("timeproperty"),
        parameters.integer("lastN", 0, 1) or None,
        _attributes(parameters, context, pick, omit),
        tuple("" if dataset == "@none" else dataset for dataset in parameters.words("datasetId")),
        most_instances,
    )
    lang = languages(parameters.text("lang"))
    representation = TemporalRepresentation(
        _form(options), "sysAttrs" in options, lang, query.time_property, pick, omit
    )
    return TemporalReading(query, representation, _aggregation(parameters, options, query), _order(parameters))


def _members(parameters: Parameters, name: str, context: Context) -> frozenset[Iri]:
    """Of pick or omit. Nothing of linked entities is told in the past (5.7.3.4, 5.7.4.4)."""
    projection = parse_projection(parameters.text(name), name, context)
    if projection.depth:
        raise BadRequestData(f"{name} names no members of linked entities where the past is asked for.")
    return projection.names


def _check_members(parameters: Parameters, pick: frozenset[Iri], omit: frozenset[Iri]) -> None:
    if "attrs" in parameters and (pick or omit):
        raise BadRequestData("attrs goes neither with pick nor with omit.")
    if pick & omit:
        raise BadRequestData("pick and omit name the same member.")


def _attributes(
    parameters: Parameters, context: Context, pick: frozenset[Iri], omit: frozenset[Iri]
) -> tuple[Iri, ...]:
    """Those of `attrs`, or where nothing but attributes is picked, these."""
    if pick and not pick & CORE_MEMBERS:
        return tuple(sorted(pick - omit))
    return tuple(context.expand(name) for name in parameters.words("attrs"))


def _form(options: frozenset[str]) -> TemporalForm:
    asked = {_FORMS[option] for option in options if option in _FORMS}
    if len(asked) + (_AGGREGATED in options) > 1:
        raise BadRequestData("Ask for one form only: normalized, concise, temporalValues or aggregatedValues.")
    return asked.pop() if asked else TemporalForm.NORMALIZED


def _aggregation(parameters: Parameters, options: frozenset[str], query: TemporalQuery) -> Aggregation | None:
    if _AGGREGATED not in options:
        return None
    if query.time_property is TimeProperty.DELETED_AT:
        raise BadRequestData("What was deleted has no values to aggregate: timeproperty=deletedAt goes without.")
    return parse_aggregation(parameters.words("aggrMethods"), parameters.text("aggrPeriodDuration"))


def _order(parameters: Parameters) -> Order:
    asked = parameters.text("orderBy")
    if asked not in _ORDERS:
        raise BadRequestData("Temporal evolutions are ordered by id, or id;desc, and by nothing else.")
    return _ORDERS[asked]

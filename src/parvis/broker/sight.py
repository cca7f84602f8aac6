"""What a caller may see: every question to the store is narrowed to it, every answer goes through it."""

from collections.abc import Collection, Iterable, Mapping

from msgspec.structs import replace

from parvis.broker.model.entity import LINKS, AttributeKey, Entity, Instance, Iri
from parvis.broker.ports.store import EntityHistory, EntityPage
from parvis.broker.query.named import names_of, names_of_tally
from parvis.broker.query.tally import TallyQuery
from parvis.broker.query.tree import AllTypes, AnyType, EntityQuery, TemporalQuery, TypeIs, TypeSelection
from parvis.broker.rights import hidden_attributes
from parvis.broker.search.text import searched_text
from parvis.broker.search.words import PARTS
from parvis.kernel.identity import Caller, Right
from parvis.kernel.reach import Hidden, Reach, is_scoped, local_name, reaches, without


class Sight:
    """`reach` are the entities, `hides` what of them stays out of sight (None: nothing)."""

    __slots__ = ("_caller", "hides", "reach")

    def __init__(self, caller: Caller, reach: Reach, hides: Hidden | None) -> None:
        self._caller = caller
        self.reach = reach
        self.hides = hides or None

    @property
    def is_nothing(self) -> bool:
        return self.reach == ()

    def reaches(self, types: Collection[Iri], scopes: Collection[str]) -> bool:
        return reaches(self.reach, types, scopes)

    def may_reach(self, types: Collection[Iri]) -> bool:
        """Whether it may be, where the scopes are not known."""
        return self.reach is None or any(area.holds_types(types) for area in self.reach)

    @property
    def is_by_scope(self) -> bool:
        return is_scoped(self.reach)

    def shown(self, entity: Entity) -> Entity | None:
        """The entity as it is seen."""
        if not reaches(self.reach, entity.types, entity.scopes):
            return None
        if self.hides is None or self._is_plain(entity.instances, self.hides.anywhere):
            return entity
        kept = self.kept(entity.instances, entity.types)
        return entity if len(kept) == len(entity.instances) else replace(entity, instances=kept, rendered={})

    @staticmethod
    def _is_plain(instances: tuple[Instance, ...], anywhere: frozenset[str]) -> bool:
        for one in instances:  # noqa: SIM110 - twice as fast as any()
            if local_name(one.name) in anywhere:
                return False
        return True

    def kept(self, instances: tuple[Instance, ...], types: Collection[Iri]) -> tuple[Instance, ...]:
        hidden = self.hidden_of(types)
        return tuple(one for one in instances if local_name(one.name) not in hidden) if hidden else instances

    def keys_kept(self, keys: tuple[AttributeKey, ...], types: Collection[Iri]) -> tuple[AttributeKey, ...]:
        hidden = self.hidden_of(types)
        return tuple(key for key in keys if local_name(key[0]) not in hidden) if hidden else keys

    def hidden_of(self, types: Collection[Iri]) -> frozenset[str]:
        return frozenset() if self.hides is None else self.hides.of(types)

    def entities(self, query: EntityQuery) -> EntityQuery:
        """The query, told how far it goes. Raises Forbidden where it speaks of what is hidden."""
        within = self.reach if self.hides is None else self._within(names_of(query), query.types)
        return query if within is None else replace(query, within=within)

    def tally(self, query: TallyQuery) -> TallyQuery:
        """Raises Forbidden."""
        within = self.reach if self.hides is None else self._within(names_of_tally(query), query.types)
        return query if within is None else replace(query, within=within)

    def temporal(self, query: TemporalQuery) -> TemporalQuery:
        """Raises Forbidden."""
        if self.hides is None:
            return query
        self.check_named(query.attrs)
        return replace(query, hides=self.hides)

    def page(self, page: EntityPage) -> EntityPage:
        """Of entities within reach."""
        if self.hides is None:
            return page
        seen = tuple(one for entity in page.entities if (one := self.shown(entity)) is not None)
        return replace(page, entities=seen)

    @property
    def hides_words(self) -> bool:
        """Whether words of what is hidden find their entity."""
        hides = self.hides
        return hides is not None and any(hides.types_of(name) or name in hides.names for name in PARTS)

    def names(self, by_type: Mapping[Iri, set[Iri]]) -> dict[Iri, set[Iri]]:
        """Attributes in use by type, less those that are hidden."""
        hidden = {iri: self.hidden_of((iri,)) for iri in by_type}
        return {iri: {name for name in names if local_name(name) not in hidden[iri]} for iri, names in by_type.items()}

    def history(self, history: EntityHistory | None) -> EntityHistory | None:
        """None where it is out of sight."""
        return history if history is not None and self.reaches(history.types, history.scopes) else None

    def is_hidden(self, names: Iterable[Iri], types: Collection[Iri]) -> bool:
        """Whether one of these attributes is hidden, of entities of these types."""
        hidden = self.hidden_of(types)
        return bool(hidden) and any(local_name(name) in hidden for name in names)

    def check_named(self, names: Iterable[Iri], types: Collection[Iri] = ()) -> None:
        """Raises Forbidden where one of these attributes is hidden, of entities of these types or of all."""
        hidden = self.hidden_of(types)
        found = sorted(local_name(name) for name in names if local_name(name) in hidden) if hidden else []
        if found:
            raise hidden_attributes(self._caller, found)

    def _within(self, names: Collection[Iri], types: TypeSelection | None) -> Reach:
        """How far a question about these attributes may go: not to entities of types of which one of them is hidden,
        or the answer would tell of it. Raises Forbidden where nothing else is asked for."""
        asked = set(_types_in(types))
        self.check_named(names, asked)
        hides = self.hides or Hidden()
        return without(self.reach, frozenset[str]().union(*(hides.types_of(local_name(name)) for name in names)))


EVERYTHING = Sight(Caller("", "", Right.READ), None, None)


def is_found_by(entity: Entity, words: Collection[str]) -> bool:
    """Whether what is seen of it has, for each of the words, one that begins with it."""
    attributes = [(one.name, one.value) for one in entity.instances]
    text = searched_text(entity.id, entity.types, attributes).replace("\n", " ")
    return all(f" {word}" in text for word in words)


def refers_to(entity: Entity, target: str) -> bool:
    return any(
        one.kind in LINKS and (one.value == target or (isinstance(one.value, list) and target in one.value))
        for one in entity.instances
    )


def _types_in(selection: TypeSelection | None) -> Iterable[Iri]:
    match selection:
        case TypeIs(iri):
            yield iri
        case AllTypes(terms) | AnyType(terms):
            for term in terms:
                yield from _types_in(term)
        case None:
            return

"""What of a change goes to which source, and what of it stays here (NGSI-LD 1.9.1, 4.3.6.3 and 5.6)."""

from collections.abc import Collection, Sequence

import msgspec

from parvis.broker.model.entity import Iri
from parvis.broker.sources.model import Operation, Registration, RegistrationMode
from parvis.broker.sources.plan import covers, find_operation, narrowed


class Share(msgspec.Struct, frozen=True):
    """What one source is to do. `operation` None: it is the one to do it, and cannot."""

    registration: Registration
    operation: Operation | None
    attrs: tuple[Iri, ...]


class Division(msgspec.Struct, frozen=True):
    """`left` are the attributes that stay; where `is_elsewhere`, nothing of the change does."""

    shares: tuple[Share, ...]
    left: tuple[Iri, ...]
    is_elsewhere: bool = False


def divide(
    registered: Sequence[Registration],
    entity_id: str,
    types: Collection[Iri] | None,
    names: tuple[Iri, ...],
    operations: Sequence[Operation],
) -> Division:
    """`names` are the attributes of the change; none: it is of the entity as such. `operations` are alternatives.

    What an exclusive source has goes there alone, then what redirect sources have to all of them; of what is left, a
    copy goes to inclusive sources that can do it.
    """
    shares: list[Share] = []
    left, is_elsewhere = names, False
    for mode in (RegistrationMode.EXCLUSIVE, RegistrationMode.REDIRECT):
        found = _shares(registered, mode, entity_id, types, left, operations) if left or not names else []
        shares += [share for share, _ in found]
        taken = {name for share, _ in found for name in share.attrs}
        is_elsewhere |= any(is_whole for _, is_whole in found)
        left = tuple(name for name in left if name not in taken)
    is_elsewhere |= bool(names) and not left
    if not is_elsewhere:
        copies = _shares(registered, RegistrationMode.INCLUSIVE, entity_id, types, left, operations)
        shares += [share for share, _ in copies if share.operation is not None]
    return Division(tuple(shares), left, is_elsewhere)


def _shares(
    registered: Sequence[Registration],
    mode: RegistrationMode,
    entity_id: str,
    types: Collection[Iri] | None,
    names: tuple[Iri, ...],
    operations: Sequence[Operation],
) -> list[tuple[Share, bool]]:
    """Each with whether its source has the entity as a whole."""
    found = []
    for registration in registered:
        infos = [one for one in registration.information if covers(one, entity_id, types, names)]
        if registration.mode is mode and infos:
            attrs = narrowed(infos, names) if names else ()
            share = Share(registration, find_operation(registration, operations), attrs)
            found.append((share, any(not info.attributes for info in infos)))
    return found

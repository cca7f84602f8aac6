"""What leaves the history: instances that were erased."""

from parvis.broker.temporal.erasure import Erasure
from parvis.kernel.errors import ResourceNotFound
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.names import Names

_ERASE = """
DELETE FROM history WHERE tenant = %(tenant)s
AND entity = (SELECT id FROM entity WHERE tenant = %(tenant)s AND urn = %(urn)s)
AND (%(name)s::integer IS NULL OR name = %(name)s) AND (%(dataset)s::integer IS NULL OR dataset = %(dataset)s)
AND (%(seq)s::bigint IS NULL OR seq = %(seq)s) AND (%(before)s::bigint IS NULL OR ts < %(before)s)
"""
_UNKNOWN = -1


def erase(connection: Connection, names: Names, tenant: int, erasure: Erasure) -> None:
    """Raises ResourceNotFound."""
    names.words.load(connection)
    words = names.words.ids
    given = {
        "tenant": tenant,
        "urn": erasure.entity_id,
        "name": None if erasure.attribute is None else words.get(erasure.attribute, _UNKNOWN),
        "dataset": None if erasure.dataset is None else words.get(erasure.dataset, _UNKNOWN) if erasure.dataset else 0,
        "seq": erasure.seq,
        "before": erasure.before,
    }
    if "\0" in erasure.entity_id or not connection.execute(_ERASE, given).rowcount:
        raise ResourceNotFound(f"There is no such history of {erasure.entity_id}.")

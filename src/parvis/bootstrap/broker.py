"""The broker, of settings, store and what goes out."""

from collections.abc import Callable

import msgspec

from parvis.access.model import AuditRecord
from parvis.bootstrap.archive import PastAtHand
from parvis.bootstrap.contexts import context_fetcher
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.kept import KeptContexts
from parvis.broker.ports.store import Store
from parvis.broker.public import PublicElsewhere
from parvis.broker.sources.forward import SourceClient
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.kernel.identity import Caller
from parvis.kernel.settings import Settings
from parvis.kernel.time import system_clock
from parvis.outbound.client import GuardedClient


def build_broker(
    settings: Settings,
    store: Store,
    outbound: GuardedClient,
    audit: Callable[[AuditRecord], object],
    public_elsewhere: PublicElsewhere | None = None,
) -> Broker:
    def erased(caller: Caller, erasure: Erasure) -> None:
        facts = {name: value for name, value in msgspec.structs.asdict(erasure).items() if value is not None}
        what = str(facts.pop("entity_id"))
        told = {name: str(value) for name, value in facts.items()}
        audit(AuditRecord(system_clock(), caller.tenant, caller.subject, "history-erased", what, told))

    def corrected(caller: Caller, correction: Correction, seq: int) -> None:
        told = {"attribute": correction.given.name, "seq": str(correction.seq), "becomes": str(seq)}
        record = AuditRecord(
            system_clock(), caller.tenant, caller.subject, "history-corrected", correction.entity_id, told
        )
        audit(record)

    contexts = Contexts(context_fetcher(settings.contexts, outbound), KeptContexts(store.shelf))
    public_types = frozenset(contexts.parvis.expand(name) for name in settings.access.public_types)
    own = settings.federation
    client = SourceClient(outbound, timeout_s=own.timeout_s, limit_bytes=own.limit_bytes, at_once=own.at_once)
    most, most_sources = settings.subscriptions.max_per_tenant, settings.federation.max_registrations
    return Broker(
        store,
        contexts,
        public_types,
        outbound.check,
        erased,
        corrected,
        most,
        most_sources,
        client,
        most_instances=settings.history.most_instances,
        past=PastAtHand(settings, store),
        public_elsewhere=public_elsewhere,
    )

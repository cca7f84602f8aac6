"""What the suite tests, in the groups of its own folders; each group has instances to itself."""

from collections.abc import Iterable, Sequence

import msgspec

from parvis.kernel.errors import ParvisError

_CONTEXT_INFORMATION = "TP/NGSI-LD/ContextInformation"


class UnknownGroup(ParvisError):
    title = "There is no such group of tests"


class Group(msgspec.Struct, frozen=True):
    """`folders` lie in the checkout. `port` is where the first instance listens if that is free: the suite calls it
    there in spite of its own variable."""

    name: str
    folders: tuple[str, ...]
    instances: int = 1
    port: int | None = None


def _below(parent: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{parent}/{name}" for name in names)


GROUPS: Sequence[Group] = (
    Group("Subscription", _below(_CONTEXT_INFORMATION, "Subscription")),
    Group("IOP", ("IOP_TP",), instances=5),
    Group("DistributedOperations", ("TP/NGSI-LD/DistributedOperations",)),
    Group("ContextSource", ("TP/NGSI-LD/ContextSource",)),
    Group(
        "Provision",
        _below(
            f"{_CONTEXT_INFORMATION}/Provision",
            "Entities",
            "EntityAttributes",
            "BatchEntities",
            "PurgeEntities",
            "TransientEntities",
        ),
    ),
    Group("Consumption", _below(f"{_CONTEXT_INFORMATION}/Consumption", "Entity", "Discovery")),
    Group(
        "Temporal",
        _below(
            _CONTEXT_INFORMATION,
            "Consumption/TemporalEntity",
            "Provision/TemporalEntity",
            "Provision/TemporalEntityAttributes",
        ),
    ),
    Group("jsonldContext", ("TP/NGSI-LD/jsonldContext",), port=9090),
    Group("EntityMap", _below(_CONTEXT_INFORMATION, "EntityMap")),
    Group("Snapshot", _below(_CONTEXT_INFORMATION, "Snapshot")),
    Group("CommonBehaviours", ("TP/NGSI-LD/CommonBehaviours",)),
)
"""The slowest first."""


def groups_named(names: Iterable[str]) -> Sequence[Group]:
    """All of them where none is named. Raises UnknownGroup."""
    wanted = list(names)
    known = {group.name: group for group in GROUPS}
    if unknown := [name for name in wanted if name not in known]:
        raise UnknownGroup(f"{unknown[0]} is no group; these are: {', '.join(known)}.")
    return [known[name] for name in wanted] or GROUPS

"""Topic names and filters (MQTT 3.1.1 and 5.0, 4.7)."""

_WILDCARDS = frozenset("+#")


def is_filter(text: str) -> bool:
    levels = text.split("/")
    return bool(text) and all(
        ("#" not in level and "+" not in level) or level == "+" or (level == "#" and index == len(levels) - 1)
        for index, level in enumerate(levels)
    )


def split_shared(topic_filter: str) -> tuple[str, str] | None:
    """Group and filter of `$share/group/filter` (5.0, 4.8.2); None for a filter that is not shared.

    Raises ValueError where it begins like one and is none.
    """
    if not topic_filter.startswith("$share/"):
        return None
    group, _, inner = topic_filter[len("$share/") :].partition("/")
    if not group or set(group) & {"+", "#"} or not is_filter(inner):
        raise ValueError(topic_filter)
    return group, inner


def matches(topic_filter: str, topic: str) -> bool:
    """A leading wildcard does not reach the server's own topics ($...), 4.7.2."""
    if topic[:1] == "$" and topic_filter[:1] in _WILDCARDS:
        return False
    if topic_filter == topic:
        return True
    wanted, given = topic_filter.split("/"), topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index == len(given) or level not in ("+", given[index]):
            return False
    return len(wanted) == len(given)


def covers(wider: str, narrower: str) -> bool:
    """Whether every topic that `narrower` matches is matched by `wider`, both filters."""
    if (narrower[:1] in _WILDCARDS) > (wider[:1] in _WILDCARDS) or (narrower[:1] == "$" and wider[:1] in _WILDCARDS):
        return False
    outer, inner = wider.split("/"), narrower.split("/")
    for index, level in enumerate(outer):
        if level == "#":
            return True
        if index == len(inner) or inner[index] == "#" or level not in ("+", inner[index]):
            return False
    return len(outer) == len(inner)

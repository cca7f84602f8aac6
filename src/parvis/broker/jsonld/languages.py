"""Which languages a reader wants (NGSI-LD 1.9.1, 4.15; RFC 9110, 12.5.4)."""

from functools import lru_cache

from parvis.kernel.errors import BadRequestData


@lru_cache(maxsize=256)
def languages(text: str | None) -> tuple[str, ...]:
    """Language tags, the best first (RFC 9110, 12.5.4)."""
    if not text:
        return ()
    weighted = [_weighted(part) for part in text.split(",")]
    return tuple(tag for tag, weight in sorted(weighted, key=lambda pair: -pair[1]) if weight > 0)


def _weighted(part: str) -> tuple[str, float]:
    tag, _, quality = part.strip().partition(";")
    try:
        return tag.strip(), float(quality.strip().removeprefix("q=") or 1)
    except ValueError:
        raise BadRequestData(f"lang is a list of language tags such as fr,en;q=0.5, not {part!r}.") from None

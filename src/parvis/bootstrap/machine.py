"""What the machine has to give."""

import os
from pathlib import Path

_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def memory_limit_bytes(container_limit: Path = _CONTAINER_LIMIT) -> int:
    """The machine's memory, or what its container may take of it."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(whole, int(container_limit.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return whole

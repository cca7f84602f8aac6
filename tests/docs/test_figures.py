"""A bound that a page names is the bound in the code."""

from pathlib import Path

import pytest

from parvis.broker import writing
from parvis.fleet.codecs import program as codec_engine

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("explanation/durability.md", f"at most {writing.MAX_GROUP_CHANGES:,} changes"),
        ("explanation/durability.md", f"Beyond {writing.MAX_PENDING_CHANGES:,} changes"),
        ("howto/write-a-codec.md", f"{codec_engine.TIME_LIMIT_S * 1000:.0f} ms per call"),
        ("howto/write-a-codec.md", f"{codec_engine.MEMORY_LIMIT_BYTES >> 20} MiB of memory"),
        ("howto/write-a-codec.md", f"{codec_engine.STACK_LIMIT_BYTES >> 10} KiB of stack"),
    ],
)
def test_a_bound_is_told_as_it_is(page: str, words: str) -> None:
    assert words in " ".join((DOCS / page).read_text(encoding="utf-8").split())

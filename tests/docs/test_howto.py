"""What a how-to tells people to type works as typed."""

import re
from pathlib import Path

from parvis.broker.jsonld.contexts import Contexts
from parvis.fleet.profiles import check_profile, load_profile

HOWTO = Path(__file__).resolve().parent.parent.parent / "docs/howto"


def blocks(page: str, language: str) -> list[str]:
    text = (HOWTO / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


async def no_network(url: str) -> bytes:
    raise AssertionError(f"{url} was asked for")


def test_the_codec_to_copy_decodes_its_example(tmp_path: Path) -> None:
    (codec,) = blocks("write-a-codec.md", "js")
    (profile,) = blocks("write-a-codec.md", "toml")
    folder = tmp_path / "basin-distance"
    folder.mkdir()
    (folder / "codec.js").write_text(codec, encoding="utf-8")
    (folder / "profile.toml").write_text(profile, encoding="utf-8")
    loaded = load_profile(folder, Contexts(no_network).default.expand)
    assert check_profile(loaded) == []
    assert len(loaded.examples) == 1

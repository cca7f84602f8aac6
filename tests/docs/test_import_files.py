"""What the how-to of imports shows can be used as it is shown."""

import tomllib
from pathlib import Path

import msgspec

from parvis.connectors.files.config import FilesConfig, load_mapping
from tests.docs.test_howto import blocks

PAGE = "import-files.md"


def test_its_mapping_is_one(tmp_path: Path) -> None:
    mapping, _ = blocks(PAGE, "toml")
    (tmp_path / "bins.toml").write_text(mapping)
    assert load_mapping(tmp_path / "bins.toml").inventory is not None


def test_its_settings_are_some() -> None:
    import asyncssh

    _, settings = blocks(PAGE, "toml")
    config = msgspec.convert(tomllib.loads(settings)["connectors"]["files"], FilesConfig)
    assert asyncssh.import_public_key(config.sftp[0].host_key).get_algorithm() == "ssh-ed25519"

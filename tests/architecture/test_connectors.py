"""Every connector folder has one shape, so that who has read one has read all."""

from pathlib import Path

import pytest

from parvis.fleet.ways.check import check_connector
from tests.architecture.source import PACKAGE

FOLDERS = sorted(path.parent for path in (PACKAGE / "connectors").glob("*/__init__.py"))


def test_there_are_connectors() -> None:
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_has_the_shape_and_its_examples_hold(folder: Path) -> None:
    assert check_connector(folder) == []

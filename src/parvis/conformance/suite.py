"""A checkout of the suite: what it holds, and the programs it needs."""

import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from parvis.kernel.errors import ParvisError

_VARIABLES = "resources/variables.py"
_CONTEXTS = "resources/jsonld-contexts"
_HTTP_LIBRARY = "libraries/robotframework-httpctrl/src"
_MQTT_CONFIGURATION = "resources/mqttUtils/mosquitto"
_READ = {".robot", ".resource", ".py", ".json", ".jsonld"}
_CONTEXT_URL = re.compile(rb"https?://[^\s\"'<>]+\.jsonld")
_OTHER_NAMES: Mapping[str, str] = {"ngsildTestSuiteV1.8-compound.jsonld": "ngsi-ld-test-suite-compound.jsonld"}
"""Under which some of its files ask for one of its contexts at a place of their authors."""

_ELSEWHERE = (
    "https://fiware.github.io/NGSI-LD_TestSuite/ldContext/testContext.jsonld",
    "https://fiware.github.io/data-models/context.jsonld",
    "http://smartdatamodels.org/context.jsonld",
    "https://smartdatamodels.org/context.jsonld",
)
"""Of other hosts, which some of its tests expect to answer, whatever they say."""
_STAND_IN = "elsewhere.jsonld"


class InvalidSuite(ParvisError):
    title = "This is no checkout of the conformance suite"


class RobotNotFound(ParvisError):
    title = "Robot Framework is not installed"


class Suite(msgspec.Struct, frozen=True):
    root: Path

    @property
    def http_library(self) -> Path:
        """The mock servers' library, which the suite brings along."""
        return self.root / _HTTP_LIBRARY

    @property
    def mqtt_configuration(self) -> Path:
        return self.root / _MQTT_CONFIGURATION

    def folders_of(self, wanted: tuple[str, ...]) -> list[str]:
        """Those that this version of the suite has."""
        return [folder for folder in wanted if (self.root / folder).exists()]

    def context_files(self) -> dict[str, Path]:
        """The @contexts that the suite names by URL and has itself; for those of other hosts a stand-in of one term."""
        files = {path.name: path for path in sorted((self.root / _CONTEXTS).glob("*.jsonld"))}
        found = dict.fromkeys(_ELSEWHERE, Path(__file__).with_name(_STAND_IN))
        for url in self._context_urls():
            name = url.rsplit("/", 1)[-1]
            if (path := files.get(_OTHER_NAMES.get(name, name))) is not None:
                found[url] = path
        return found

    def _context_urls(self) -> Iterator[str]:
        for path in sorted(self.root.rglob("*")):
            if path.suffix in _READ and path.is_file():
                yield from (url.decode("ascii", "replace") for url in set(_CONTEXT_URL.findall(path.read_bytes())))


def open_suite(root: Path) -> Suite:
    """Raises InvalidSuite."""
    if not (root / _VARIABLES).is_file():
        raise InvalidSuite(f"{root} is no checkout of the suite: it has no {_VARIABLES}.")
    return Suite(root.resolve())


def find_robot(python: Path | None) -> tuple[str, ...]:
    """The command of Robot Framework: of `python`, else the one on the PATH or beside this interpreter.

    Raises RobotNotFound.
    """
    if python is not None:
        return (str(python.absolute()), "-m", "robot")
    beside = Path(sys.executable).with_name("robot")
    found = shutil.which("robot") or (str(beside) if beside.exists() else None)
    if found is None:
        raise RobotNotFound("No robot on the PATH: name the interpreter of its environment with --python.")
    return (found,)

"""Land, networks and devices, which take seconds to make: made once for a seed, and kept for all processes."""

import logging
import pickle
from dataclasses import dataclass
from pathlib import Path

from parvis.demo.devices.device import Device
from parvis.demo.devices.install import install_devices, survey_site
from parvis.demo.edition import edition
from parvis.demo.land.territory import Territory, generate_territory
from parvis.demo.networks.networks import Networks, lay_networks
from parvis.demo.solitude import alone
from parvis.kernel.durable import UNFINISHED, write_whole

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scenery:
    seed: int
    territory: Territory
    networks: Networks
    devices: tuple[Device, ...]


def make_scenery(seed: int) -> Scenery:
    territory = generate_territory(seed)
    networks = lay_networks(territory)
    devices = install_devices(survey_site(territory, networks))
    return Scenery(seed, territory, networks, tuple(devices))


def open_scenery(seed: int, folder: Path) -> Scenery:
    """Kept in a folder of our own until the code that makes it changes; who comes meanwhile waits for it."""
    path = folder / f"scenery-{edition()}-{seed}.pickle"
    with alone(folder / "scenery.lock"):
        found = _find(path)
        if found is None:
            found = make_scenery(seed)
            _keep(path, found)
        return found


def _find(path: Path) -> Scenery | None:
    """None where it is not there, or cannot be read any more."""
    try:
        found = pickle.loads(path.read_bytes())  # noqa: S301 - our own data folder
    except FileNotFoundError:
        return None
    except Exception as fault:
        _log.warning("the kept territory is made anew", extra={"reason": repr(fault)})
        return None
    return found if isinstance(found, Scenery) else None


def _keep(path: Path, made_of: Scenery) -> None:
    """Alone: what else is there is old, or was left half made by who was killed."""
    for old in (*path.parent.glob("scenery-*"), *path.parent.glob(f"{UNFINISHED}*-scenery-*")):
        old.unlink(missing_ok=True)
    write_whole(path, pickle.dumps(made_of, pickle.HIGHEST_PROTOCOL), is_durable=False)

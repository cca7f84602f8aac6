"""The settings that hold at once, and the ground that they choose."""

from contextlib import AsyncExitStack

from parvis.ground.choosing import Ground
from parvis.kernel.base_map import BaseMap
from parvis.kernel.settings import Settings
from parvis.kernel.settings_at_hand import SettingsAtHand


def open_ground(settings: Settings, brought: BaseMap | None, stack: AsyncExitStack) -> tuple[Ground, SettingsAtHand]:
    """Raises InvalidBaseMap."""
    at_hand = SettingsAtHand(settings)
    ground = Ground(settings.data_dir, lambda: at_hand.map.ground, brought)
    stack.callback(ground.close)
    return ground, at_hand

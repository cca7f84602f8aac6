"""Hatchling hook: no wheel and no editable installation without its front-end libraries."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))

import frontend_assets

SETS = (frontend_assets.RUNTIME, frontend_assets.DATA)


class FrontendHook(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        if all(frontend_assets.is_current(Path(self.root), one) for one in SETS):
            return []
        return [frontend_assets.NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        frontend_assets.build(Path(self.root), *SETS)

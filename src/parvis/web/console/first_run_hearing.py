"""Whether the first way in is heard: by what is stored, so that it does not matter which process took the frame."""

from collections.abc import Sequence
from dataclasses import dataclass

from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant
from parvis.web.console.first_run_progress import Progress
from parvis.web.console.quarantine import WaitingView, list_waiting
from parvis.web.site import Site

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Heard:
    """`key_used_at` and `frame_at` are 0 while that has not been; `waiting` are devices to adopt, `refused` tells that
    what came could not be read."""

    key_used_at: Instant
    frame_at: Instant
    waiting: Sequence[WaitingView]
    more: int
    refused: str = ""


async def hear(site: Site, caller: Caller, progress: Progress) -> Heard:
    views = [one for one in await list_waiting(site, caller) if _is_new(one, progress)]
    brought = site.platform.fleet.ways.brought_to(caller.tenant).get(progress.way)
    last_at = 0 if brought is None or brought.last_at < progress.asked_at else brought.last_at
    newest = max([last_at, progress.heard_at, *(one.waiting.last_at for one in views)])
    is_all_refused = brought is not None and brought.refused == brought.frames and brought.waiting < brought.frames
    reason = brought.reason.value if brought is not None and brought.reason is not None and is_all_refused else ""
    return Heard(_key_used_at(site, caller, progress.key_id), newest, views[:SHOWN], max(0, len(views) - SHOWN), reason)


def _is_new(view: WaitingView, progress: Progress) -> bool:
    return view.way == progress.way and view.waiting.last_at >= progress.asked_at


def _key_used_at(site: Site, caller: Caller, key_id: str) -> Instant:
    keys = site.platform.access.keys.list_keys(caller)
    return next((one.last_used_at or 0 for one in keys if one.id == key_id), 0)

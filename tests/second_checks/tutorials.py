"""The requests of FIWARE's tutorials of NGSI-LD go in, each page in a fresh broker; answers are held against theirs.

What a page has from elsewhere (entities loaded by a script) is taken from the first answer of the page that tells it.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.second_checks.curl import Command, Step, steps
from tests.second_checks.instance import Result, fresh_instance

_PORT = 1026
_ORDINARY_CONTEXT = "ngsi-context.jsonld"
_DATED = frozenset({"createdAt", "modifiedAt", "@context", "instanceId"})


def check(folder: Path) -> list[Result]:
    contexts = {path.name: path.read_bytes() for path in folder.glob("app/public/data-models/*.jsonld")}

    def read_context(url: str) -> bytes:
        return contexts.get(url.rpartition("/")[2]) or contexts[_ORDINARY_CONTEXT]

    results = []
    for page in sorted(folder.glob("docs/*.md")):
        shown = list(steps(page.read_text(encoding="utf-8"), _PORT))
        results += asyncio.run(_page(page.name, shown, read_context))
    return results


async def _page(name: str, shown: list[Step], read_context: Callable[[str], bytes]) -> list[Result]:
    async with fresh_instance(read_context) as api:
        return [
            Result(f"{name} {number} {step.command.method} {step.command.path[:120]}", await _difference(api, step))
            for number, step in enumerate(shown, 1)
        ]


async def _difference(api: httpx.AsyncClient, step: Step) -> str:
    if step.command.method == "GET" and step.answer is not None:
        await _load(api, step)
    told = await _send(api, step.command)
    if step.status is not None and told.status_code != step.status:
        return f"{step.status} became {told.status_code} {told.text[:200]}"
    if step.status is None and not told.is_success:
        return f"{told.status_code} {told.text[:300]}"
    if step.answer is None or not told.content:
        return ""
    shown, answer = _comparable(step.answer), _comparable(told.json())
    return "" if shown == answer else f"{_text(shown)} became {_text(answer)}"


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:600]


async def _load(api: httpx.AsyncClient, step: Step) -> None:
    headers = {**step.command.headers, "Content-Type": "application/json"}
    headers.pop("Accept", None)
    for entity in step.answer if isinstance(step.answer, list) else [step.answer]:
        if isinstance(entity, dict) and {"id", "type"} <= entity.keys():
            bare = {key: value for key, value in entity.items() if key != "@context"}
            await api.post("/ngsi-ld/v1/entities", json=bare, headers=headers)


async def _send(api: httpx.AsyncClient, command: Command) -> httpx.Response:
    content = None if command.body is None else command.body.encode()
    return await api.request(command.method, command.path, headers=command.headers, content=content)


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _comparable(inner) for key, inner in value.items() if key not in _DATED}
    if isinstance(value, list):
        members = [_comparable(inner) for inner in value]
        return sorted(members, key=msgspec.json.encode)
    return value.replace(".000Z", "Z") if isinstance(value, str) else value
